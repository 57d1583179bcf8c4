# SPDX-License-Identifier: ISC
"""One module for each server: class Server, a frame.peer.Peer."""
