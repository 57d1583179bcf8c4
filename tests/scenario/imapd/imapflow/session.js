// SPDX-License-Identifier: ISC
// What a web mailer does with an account; says "done" at its end.
const assert = require('node:assert');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const [, , modules, port, ca] = process.argv;
const { ImapFlow } = createRequire(modules + '/')('imapflow');

const message = subject => Buffer.from(
    'From: Alice <alice@example.test>\r\nTo: bob@example.test\r\n' +
    `Subject: ${subject}\r\nMessage-ID: <${subject}@example.test>\r\n` +
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n' +
    '--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n' +
    '--b\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n--b--\r\n');

function client() {
    return new ImapFlow({
        host: 'localhost', port: Number(port), secure: true, logger: false,
        qresync: true, auth: { user: 'bob', pass: 'posthaste' },
        tls: { ca: fs.readFileSync(ca) },
    });
}

async function folders(c) {
    const made = await c.mailboxCreate(['Entwürfe', '日本']);
    assert.equal(made.path, 'Entwürfe/日本');
    const list = await c.list({ statusQuery: { messages: true } });
    const names = list.map(f => f.path);
    assert(names.includes('Entwürfe/日本'), names.join());
    const use = Object.fromEntries(list.map(f => [f.specialUse, f.path]));
    for (const wanted of ['\\Sent', '\\Drafts', '\\Trash', '\\Junk'])
        assert(use[wanted], `no ${wanted}`);
    await c.mailboxSubscribe('Entwürfe/日本');
}

async function messages(c) {
    for (let n = 1; n <= 5; n++) {
        const there = await c.append('INBOX', message(`number-${n}`),
            n === 1 ? ['\\Seen', '$Work'] : [], new Date(2001, 1, 3));
        assert.equal(there.uid, n);
    }
    const lock = await c.getMailboxLock('INBOX');
    try {
        assert.equal(c.mailbox.exists, 5);
        const rows = [];
        for await (const m of c.fetch('1:*', {
            uid: true, flags: true, envelope: true, bodyStructure: true,
            internalDate: true, size: true, threadId: true,
        }))
            rows.push(m);
        assert.equal(rows.length, 5);
        assert.equal(rows[0].envelope.subject, 'number-1');
        assert(rows[0].flags.has('$Work'));
        assert.equal(rows[2].bodyStructure.childNodes.length, 2);
        assert.equal(rows[2].bodyStructure.childNodes[1].type, 'text/html');
        assert.equal(rows[4].size, message('number-5').length);
        const { content } = await c.download('3', '1');
        let text = '';
        for await (const part of content)
            text += part.toString();
        assert.equal(text.trim(), 'Grüße');
        const whole = await c.fetchOne('2', { source: true });
        assert(whole.source.equals(message('number-2')));
        assert.deepEqual(await c.search({ seen: false }, { uid: true }),
            [2, 3, 4, 5]);
        assert.deepEqual(await c.search({ header: { subject: 'number-4' } }),
            [4]);
        await c.messageFlagsAdd('2', ['\\Flagged']);
        await c.messageFlagsRemove({ uid: '1' }, ['\\Seen']);
        const moved = await c.messageMove('4:5', 'Entwürfe/日本',
            { uid: true });
        assert.equal(moved.uidMap.size, 2);
        const copied = await c.messageCopy('1', 'Entwürfe/日本');
        assert.equal(copied.uidMap.get(1), 3);
        await c.messageDelete('3');
        assert.deepEqual(await c.search({ all: true }, { uid: true }),
            [1, 2]);
    } finally {
        lock.release();
    }
}

// A second connection changes the mailbox that the first one idles on.
async function listening(c) {
    const other = client();
    await other.connect();
    const lock = await c.getMailboxLock('INBOX');
    const heard = name => new Promise(resolve => c.once(name, resolve));
    try {
        let event = heard('exists');
        c.idle();
        await new Promise(resolve => setTimeout(resolve, 50));
        await other.append('INBOX', message('new'));
        assert.equal((await event).count, 3);
        await other.mailboxOpen('INBOX');
        event = heard('flags');
        c.idle();
        await new Promise(resolve => setTimeout(resolve, 50));
        await other.messageFlagsAdd('3', ['\\Answered']);
        assert((await event).flags.has('\\Answered'));
        event = heard('expunge');
        c.idle();
        await new Promise(resolve => setTimeout(resolve, 50));
        await other.messageDelete('3');
        assert(await event);
    } finally {
        lock.release();
        await other.logout();
    }
}

async function end(c) {
    await c.mailboxRename('Entwürfe/日本', 'Fertig');
    const status = await c.status('Fertig', {
        messages: true, unseen: true, uidNext: true, highestModseq: true,
    });
    assert.equal(status.messages, 3);
    await c.mailboxDelete('Fertig');
    await c.logout();
}

(async () => {
    const c = client();
    await c.connect();
    await folders(c);
    await messages(c);
    await listening(c);
    await end(c);
    console.log('done');
})().catch(error => {
    console.error(error);
    process.exit(1);
});
