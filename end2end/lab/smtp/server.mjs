// A mail server that keeps what it receives: STARTTLS and a sign-in are required, as at a company's relay.
// A recipient `bounce…` is refused for good, `later…` for now. GET answers the mails as JSON, oldest first; DELETE forgets them.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { SMTPServer } from 'smtp-server'
import PostalMime from 'postal-mime'

const { SMTP_PORT, SMTP_HTTP_PORT, SMTP_TLS, SMTP_USER, SMTP_PASSWORD } = process.env
const HOST = '127.0.0.1'
const mails = []

const refusal = (code, message) => Object.assign(new Error(message), { responseCode: code })

const smtp = new SMTPServer({
  key: readFileSync(`${SMTP_TLS}/key.pem`),
  cert: readFileSync(`${SMTP_TLS}/cert.pem`),
  authMethods: ['PLAIN', 'LOGIN'],
  disableReverseLookup: true,
  size: 25 * 1024 * 1024,
  onAuth(auth, _session, done) {
    const right = auth.username === SMTP_USER && auth.password === SMTP_PASSWORD
    done(right ? null : refusal(535, 'the user name or the password is wrong'), right ? { user: auth.username } : undefined)
  },
  onRcptTo(address, _session, done) {
    if (address.address.startsWith('bounce')) return done(refusal(550, '5.1.1 no such user'))
    if (address.address.startsWith('later')) return done(refusal(451, '4.7.1 try again later'))
    done()
  },
  onData(stream, session, done) {
    const chunks = []
    stream.on('data', (chunk) => chunks.push(chunk))
    stream.on('end', async () => {
      try {
        const mail = await PostalMime.parse(Buffer.concat(chunks))
        mails.push({
          from: session.envelope.mailFrom.address,
          to: session.envelope.rcptTo.map((recipient) => recipient.address),
          subject: mail.subject ?? '',
          text: mail.text ?? '',
          html: mail.html ?? '',
          messageId: mail.messageId ?? null,
          headers: Object.fromEntries(mail.headers.map(({ key, value }) => [key, value])),
          tls: session.secure,
          user: session.user ?? null,
          receivedAt: new Date().toISOString(),
        })
        done()
      } catch (error) {
        done(refusal(554, `the mail cannot be read: ${error.message}`))
      }
    })
  },
})
smtp.on('error', (error) => console.error(error.message))
smtp.listen(Number(SMTP_PORT), HOST)

createServer((request, response) => {
  if (request.method === 'DELETE') {
    mails.length = 0
    response.writeHead(204).end()
  } else {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(mails))
  }
}).listen(Number(SMTP_HTTP_PORT), HOST)
