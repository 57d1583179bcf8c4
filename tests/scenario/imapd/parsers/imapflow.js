// SPDX-License-Identifier: ISC
// All of INBOX as imapflow reads it, a line of JSON for each message.
// usage: imapflow.js PORT MODULES
const { createHash } = require('node:crypto');
const { createRequire } = require('node:module');
const [, , port, modules] = process.argv;
const { ImapFlow } = createRequire(modules + '/')('imapflow');

(async () => {
    const c = new ImapFlow({
        host: '127.0.0.1', port: Number(port), secure: false, logger: false,
        auth: { user: 'bob', pass: 'posthaste' },
        tls: { rejectUnauthorized: false },
    });
    await c.connect();
    await c.mailboxOpen('INBOX', { readOnly: true });
    for await (const m of c.fetch('1:*', {
        uid: true, flags: true, envelope: true, bodyStructure: true,
        internalDate: true, size: true, threadId: true, headers: true,
    }))
        console.log(JSON.stringify({
            uid: m.uid, size: m.size,
            flags: [...m.flags].map(f => f.toLowerCase()).sort(),
            header: createHash('sha256').update(m.headers || '').digest('hex'),
            structure: m.bodyStructure.type, envelope: !!m.envelope,
        }));
    await c.logout();
})().catch(error => {
    console.error(error);
    process.exit(1);
});
