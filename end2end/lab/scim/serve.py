"""serve.py CERTIFICATE KEY [OPTION…]: scim2-server by HTTPS, with its own options."""

import ssl
import sys

from scim2_server.testserver import cli

certificate, key, *options = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
in_the_clear = cli.make_server


def encrypted(*arguments, **named):
    server = in_the_clear(*arguments, **named)
    # Handshakes are left to the thread of each connection: one that says nothing holds up nobody else.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


cli.make_server = encrypted
sys.argv = ["scim2-server", *options]
cli.main()
