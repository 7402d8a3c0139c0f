/* Certificates and a TLS peer for the tests of net: a folder in /tmp with an own CA, and python3 as the other side.
 * Include after net_help.h. Everything is removed or ended by pid in tls_shut. */
#pragma once

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct tls_peer {
    pid_t pid;
    uint16_t port;
    int out;            /* the peer's stdout: one line an event */
};

static char tls_dir[64];

/* argv: certificate name, mode. Prints its port first.
 * echo: as it says. banner: speaks first. late: reads nothing until the file "go" is there, then wants argv[3] bytes of the
 * pattern, says same or different. flood: sends argv[3] bytes of the pattern, then waits for the end. leave: closes after
 * the handshake. reset: after one byte. talk: sends for ever small pieces, and prints what it got until the end. ws: a WebSocket
 * that begins to read after argv[3] ms and echoes each frame. */
static const char tls_script[] =
    "import base64, hashlib, socket, ssl, struct, sys, threading, time, os\n"
    "d = os.path.dirname(os.path.abspath(__file__)) + '/'\n"
    "name, mode = sys.argv[1], sys.argv[2]\n"
    "size = int(sys.argv[3]) if len(sys.argv) > 3 else 0\n"
    "block = bytes((i * 31 + i // 251) & 255 for i in range(65521))\n"
    "def pattern(n): return (block * (n // len(block) + 1))[:n]\n"
    "def take(c, n):\n"
    "    got = bytearray()\n"
    "    while len(got) < n:\n"
    "        b = c.recv(min(65536, n - len(got)))\n"
    "        if not b: break\n"
    "        got += b\n"
    "    return bytes(got)\n"
    "def echo(c):\n"
    "    while True:\n"
    "        b = c.recv(65536)\n"
    "        if not b: break\n"
    "        c.sendall(b)\n"
    "def frame(c):\n"
    "    a = take(c, 2)\n"
    "    n = a[1] & 127\n"
    "    if n == 126: n = struct.unpack('>H', take(c, 2))[0]\n"
    "    elif n == 127: n = struct.unpack('>Q', take(c, 8))[0]\n"
    "    mask = take(c, 4); b = take(c, n)\n"
    "    key = int.from_bytes((mask * (n // 4 + 1))[:n], 'big')\n"
    "    return a[0], (int.from_bytes(b, 'big') ^ key).to_bytes(n, 'big')\n"
    "def websocket(c):\n"
    "    head = b''\n"
    "    while not head.endswith(b'\\r\\n\\r\\n'): head += take(c, 1)\n"
    "    key = [l.split(b': ')[1] for l in head.split(b'\\r\\n') if l.startswith(b'Sec-WebSocket-Key')][0]\n"
    "    sum = hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest()\n"
    "    c.sendall(b'HTTP/1.1 101 Up\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: '\n"
    "              + base64.b64encode(sum) + b'\\r\\n\\r\\n')\n"
    "    time.sleep(size / 1000)\n"
    "    while True:\n"
    "        op, b = frame(c)\n"
    "        n = len(b)\n"
    "        c.sendall(bytes([op]) + (bytes([n]) if n < 126 else b'\\x7e' + struct.pack('>H', n) if n < 65536\n"
    "                  else b'\\x7f' + struct.pack('>Q', n)) + b)\n"
    "        if op & 15 == 8: break\n"
    "def serve(c):\n"
    "    if mode == 'echo': echo(c)\n"
    "    elif mode == 'ws': websocket(c)\n"
    "    elif mode == 'banner': c.sendall(b'welcome\\r\\n'); echo(c)\n"
    "    elif mode == 'late':\n"
    "        while not os.path.exists(d + 'go'): time.sleep(0.01)\n"
    "        c.sendall(b'same' if take(c, size) == pattern(size) else b'diff')\n"
    "        c.recv(1)\n"
    "    elif mode == 'flood': c.sendall(pattern(size)); c.recv(1)\n"
    "    elif mode == 'reset':\n"
    "        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
    "        c.recv(1); socket.socket(fileno=c.detach()).close()\n"
    "        return\n"
    "    elif mode == 'talk':\n"
    "        stop = []\n"
    "        def talk():\n"
    "            try:\n"
    "                while not stop: c.sendall(b'x' * 500); time.sleep(0.001)\n"
    "            except OSError: pass\n"
    "        t = threading.Thread(target=talk); t.start()\n"
    "        got = take(c, 1 << 30); stop.append(1); t.join()\n"
    "        print('same' if got == pattern(size) else 'got %d' % len(got), flush=True)\n"
    "    try: c.unwrap()\n"
    "    except (OSError, ValueError): pass\n"
    "    c.close()\n"
    "x = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
    "x.load_cert_chain(d + name + '.pem', d + name + '.key')\n"
    "s = socket.create_server(('127.0.0.1', 0))\n"
    "print(s.getsockname()[1], flush=True)\n"
    "def one(c):\n"
    "    try: serve(x.wrap_socket(c, server_side=True))\n"
    "    except (OSError, ssl.SSLError): c.close()\n"
    "while True:\n"
    "    c, _ = s.accept()\n"
    "    threading.Thread(target=one, args=(c,), daemon=True).start()\n";

static inline void tls_write(const char *name, const char *content)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", tls_dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    assert_int_equal(fclose(f), 0);
}

/* Runs a shell line in the folder. */
static inline void tls_sh(const char *line)
{
    char whole[1024];

    snprintf(whole, sizeof whole, "cd %s && { %s; } >log 2>&1", tls_dir, line);
    assert_int_equal(system(whole), 0);
}

static inline int tls_setup(void **state)
{
    (void)state;
    snprintf(tls_dir, sizeof tls_dir, "/tmp/sidetone-tls-XXXXXX");
    assert_non_null(mkdtemp(tls_dir));
    tls_write("peer.py", tls_script);
    tls_sh("new=\"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes\";"
           "for ca in ca other; do $new -x509 -days 30 -subj /CN=test-$ca -keyout $ca.key -out $ca.pem || exit 1; done;"
           "sign() { printf 'subjectAltName=%s' \"$2\" >ext; $new -subj /CN=$1 -keyout $1.key -out $1.csr &&"
           " openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out $1.pem; };"
           "sign good IP:127.0.0.1,DNS:localhost && sign foreign DNS:elsewhere.example &&"
           "openssl x509 -in good.pem -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary |"
           " openssl base64 | tr -d '\\n' >pin");
    return 0;
}

static inline int tls_shut(void **state)
{
    char line[128];

    (void)state;
    snprintf(line, sizeof line, "rm -rf %s", tls_dir);
    return system(line);
}

/* Reads one line of the peer's, without its end. */
static inline void tls_line(const struct tls_peer *p, char *out, size_t size)
{
    size_t n = 0;

    while (n + 1 < size && help_read(p->out, out + n, 1) && out[n] != '\n')
        n++;
    out[n] = 0;
}

static inline struct tls_peer tls_peer_start(const char *certificate, const char *mode, const char *size)
{
    struct tls_peer p;
    char script[128], line[32];
    int pipes[2];

    snprintf(script, sizeof script, "%s/peer.py", tls_dir);
    assert_int_equal(pipe(pipes), 0);
    p.pid = fork();
    assert_true(p.pid >= 0);
    if (p.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        dup2(pipes[1], 1);
        close(pipes[0]);
        close(pipes[1]);
        execlp("python3", "python3", script, certificate, mode, size, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    p.out = pipes[0];
    tls_line(&p, line, sizeof line);
    p.port = (uint16_t)strtoul(line, NULL, 10);
    assert_true(p.port > 0);
    return p;
}

static inline void tls_peer_stop(struct tls_peer *p)
{
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    close(p->out);
}

static inline const char *tls_path(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", tls_dir, name);
    return path;
}
