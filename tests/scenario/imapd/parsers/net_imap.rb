# SPDX-License-Identifier: ISC
# All of INBOX as Ruby's net/imap reads it, a line of JSON for each message.
# usage: net_imap.rb PORT
require 'digest'
require 'json'
require 'net/imap'

WHAT = %w[UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE
          BODY.PEEK[HEADER]].freeze

def hex(text)
  text&.unpack1('H*')
end

def parts(body)
  case body
  when Net::IMAP::BodyTypeMultipart
    1 + body.parts.sum { |part| parts(part) }
  when Net::IMAP::BodyTypeMessage
    # of other messages it takes a disposition for a body
    1 + (body.subtype == 'RFC822' && body.body ? parts(body.body) : 0)
  else
    1
  end
end

def addresses(list)
  list&.map { |a| [hex(a.name), hex(a.mailbox), hex(a.host)] }
end

def told(item)
  row = item.attr
  envelope = row['ENVELOPE']
  raise 'BODY and BODYSTRUCTURE differ' if
    parts(row['BODY']) != parts(row['BODYSTRUCTURE'])

  { uid: row['UID'], size: row['RFC822.SIZE'],
    flags: row['FLAGS'].map { |f| f.is_a?(Symbol) ? "\\#{f}" : f }
                       .map(&:downcase).sort,
    subject: hex(envelope.subject), message_id: hex(envelope.message_id),
    from: addresses(envelope.from), to: addresses(envelope.to),
    parts: parts(row['BODYSTRUCTURE']),
    header: Digest::SHA256.hexdigest(row['BODY[HEADER]']) }
end

imap = Net::IMAP.new('127.0.0.1', port: ARGV[0].to_i)
imap.login('bob', 'posthaste')
imap.examine('INBOX')
imap.fetch(1..-1, WHAT).each { |item| puts JSON.generate(told(item)) }
imap.logout
