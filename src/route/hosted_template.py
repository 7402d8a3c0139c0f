"""Loads what a script imports, once; then each request becomes a copy of this process that runs the script as __main__.

python3 - SCRIPT clone=NUMBER cpu=SECONDS files=N preload=A,B   (this text on standard input; src/net/forker.h has the messages)
The copy is made by a bare clone with CLONE_PARENT, so that it is a child of the daemon, and not of this process."""
import sys


class Unfit(Exception):
    """Why this script cannot be served from a template."""


class Stale(Exception):
    """A loaded module has changed on disk."""


class Template:
    CLONE_PARENT, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, SIGCHLD, SIGHUP = 0x8000, 0x200000, 0x1000000, 17, 1
    PR_SET_PDEATHSIG, PR_SET_NAME, PR_GET_TID_ADDRESS = 1, 15, 40
    MESSAGE_MAX = 32768

    def __init__(self, script, options):
        self.has_path = not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated
        if self.has_path:
            del sys.path[0]  # the working directory: what this program needs must not come from there, nor from the script's folder
        import _socket
        import atexit
        import gc
        import io
        import os
        import resource
        import ctypes
        self.atexit, self.gc, self.io, self.resource = atexit, gc, io, resource
        self.os, self.ctypes, self.socket = os, ctypes, _socket
        self.script, self.options = script, options
        self.limits = []
        self.parent = os.getppid()
        os.set_inheritable(3, False)
        self.control = _socket.socket(fileno=3)
        # The interpreter's lock is kept: the hooks around a fork need it.
        self.c = ctypes.PyDLL(None, use_errno=True)
        self.c.syscall.restype = ctypes.c_long
        self.c.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
        self.thread_id = ctypes.c_void_p()
        where = self.thread_id
        if self.c.prctl(self.PR_GET_TID_ADDRESS, ctypes.addressof(where), 0, 0, 0) or not where.value \
                or ctypes.c_int.from_address(where.value).value != os.getpid():
            raise Unfit("this kernel does not tell where the C library keeps the thread's number")

    # ---- loading ----

    def load(self):
        if self.has_path:
            sys.path.insert(0, self.os.path.dirname(self.os.path.realpath(self.script)))
        sys.argv = [self.script]
        if not self.os.access(self.script, self.os.X_OK):
            raise Unfit("the script may not be executed")
        with open(self.script, "rb") as f:
            source = f.read()
        try:
            self.code = compile(source, self.script, "exec", 0, True)
            tree = compile(source, self.script, "exec", 0x400, True)  # PyCF_ONLY_AST
        except (SyntaxError, ValueError) as e:
            raise Unfit(f"it cannot be compiled: {e}") from None
        for name, items in self.imports(tree.body):
            self.load_one(name, items)
        for name in filter(None, self.options.get("preload", "").split(",")):
            self.load_one(name.strip(), ())
        sys.stdout.flush()
        self.check()

    def imports(self, body):
        """(module, names) of the import statements at the top. After the first statement that does anything (say, to sys.path), only
        modules of the standard library: others might be found elsewhere by then."""
        safe = getattr(sys, "stdlib_module_names", ())
        plain = True
        for s in body:
            kind = type(s).__name__
            found = []
            if kind == "Import":
                found = [(a.name, ()) for a in s.names]
            elif kind == "ImportFrom" and s.level == 0 and s.module != "__future__":
                found = [(s.module, [a.name for a in s.names if a.name != "*"])]
            elif kind == "Try" and all(type(i).__name__ in ("Import", "ImportFrom") for i in s.body):
                found = list(self.imports(s.body)) if plain else []
            elif kind not in ("ImportFrom", "FunctionDef", "ClassDef") and type(getattr(s, "value", None)).__name__ != "Constant":
                plain = False
            for name, items in found:
                if plain or name.split(".")[0] in safe:
                    yield name, items

    @staticmethod
    def load_one(name, items):
        try:
            __import__(name, fromlist=items)
        except BaseException:  # the script will meet it, and may know what to do
            pass

    def check(self):
        """What copies must not share, or would not have."""
        if len(self.os.listdir("/proc/self/task")) > 1:
            raise Unfit("its imports start threads")
        for fd in self.os.listdir("/proc/self/fd"):
            if int(fd) > 3 and self.is_socket(int(fd)):
                raise Unfit("its imports open a connection")
        self.files = []
        library = self.os.path.dirname(self.os.__file__) + "/"
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and (not path.startswith(library) or "-packages/" in path):
                self.files.append((path, self.version(path)))

    def is_socket(self, fd):
        try:
            return self.os.fstat(fd).st_mode & 0o170000 == 0o140000
        except OSError:
            return False

    def version(self, path):
        try:
            st = self.os.stat(path)
        except OSError:
            return None
        return st.st_mtime_ns, st.st_size, st.st_ino

    def prepare(self):
        """All that a copy needs and that need not be done in each."""
        io, gc = self.io, self.gc
        self.streams = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
        # Those that would wear this process out, or keep it from its work, hold for the copies alone.
        for key, what, more in (("cpu", self.resource.RLIMIT_CPU, 1), ("files", self.resource.RLIMIT_NOFILE, 0)):
            n = int(self.options.get(key, 0))
            if n:
                self.limits.append((what, (n, n + more)))
        # Copies have the script's name in process lists, as if the kernel had started it, and a standard input that has not ended.
        name = self.ctypes.create_string_buffer(self.os.fsencode(self.os.path.basename(self.script))[:15])
        self.c.prctl(self.PR_SET_NAME, self.ctypes.addressof(name), 0, 0, 0)
        self.c.clearerr(self.ctypes.c_void_p.in_dll(self.c, "stdin"))
        loader = __import__("_frozen_importlib_external").SourceFileLoader("__main__", self.script)
        self.main = type(sys)("__main__")
        self.main.__dict__.update(__file__=self.script, __cached__=None, __loader__=loader, __builtins__=__builtins__, __annotations__={})
        standard = (sys.stdin, sys.stdout, sys.stderr)
        self.writers = [o for o in gc.get_objects() if isinstance(o, self.streams) and o not in standard]
        gc.collect()
        gc.freeze()  # a collection in a copy would touch, and so copy, all of this

    # ---- requests ----

    def serve(self):
        """Comes back only in a copy: with its arguments."""
        self.control.send(b"R")
        while True:
            data, control, _, _ = self.control.recvmsg(self.MESSAGE_MAX, self.socket.CMSG_SPACE(3 * 4), self.socket.MSG_CMSG_CLOEXEC)
            if not data:
                self.os._exit(0)
            number, _, rest = data.partition(b"\n")
            fds = [int.from_bytes(raw[i:i + 4], sys.byteorder) for _, _, raw in control for i in range(0, len(raw) - 3, 4)]
            changed = [path for path, version in self.files if self.version(path) != version]
            if changed:
                raise Stale(f"{changed[0]} has changed")
            if self.fork(number, fds):
                return [self.os.fsdecode(a) for a in rest.split(b"\0")[:-1]]
            for fd in fds:
                self.os.close(fd)

    def fork(self, number, fds):
        c, ctypes = self.c, self.ctypes
        if len(fds) != 3:
            self.control.send(b"N" + number + b"\nits descriptors did not come")
            return False
        flags = self.CLONE_PARENT | self.CLONE_CHILD_SETTID | self.CLONE_CHILD_CLEARTID | self.SIGCHLD
        c.PyOS_BeforeFork()
        # The address for the thread's number is the fourth argument on some machines, and the fifth on others; the other one is unused.
        pid = c.syscall(ctypes.c_long(int(self.options["clone"])), ctypes.c_ulong(flags), None, None, self.thread_id, self.thread_id)
        if pid == 0:
            c.PyOS_AfterFork_Child()
            self.become(number, fds)
            return True
        error = ctypes.get_errno()
        c.PyOS_AfterFork_Parent()
        if pid < 0:
            self.control.send(b"N" + number + b"\n" + self.os.strerror(error).encode())
        return False

    # ---- in the copy ----

    def become(self, number, fds):
        os = self.os
        try:
            self.control.send(b"H" + number)  # first: from here on the daemon can end it
            os.setsid()
            self.c.prctl(self.PR_SET_PDEATHSIG, self.SIGHUP, 0, 0, 0)
            if os.getppid() != self.parent:
                os._exit(127)
            for place, fd in enumerate(fds):
                os.dup2(fd, place)
                os.close(fd)
            self.control.close()
            for what, values in self.limits:
                self.resource.setrlimit(what, values)
            threading = sys.modules.get("threading")
            if threading:
                threading.main_thread()._set_native_id()  # not among the interpreter's own hooks
        except BaseException:
            os._exit(127)

    def name_set(self, args):
        sys.modules["__main__"] = self.main
        sys.argv = [self.script, *args]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = [*sys.orig_argv[:sys.orig_argv.index("-")], self.script, *args]

    def run(self):
        """The exit status, and whether a keyboard interrupt ended it."""
        try:
            exec(self.code, self.main.__dict__)
            return 0, False
        except SystemExit as e:
            return self.status_of(e.code), False
        except BaseException as e:
            e.__traceback__ = e.__traceback__.tb_next  # without this frame
            try:
                sys.excepthook(type(e), e, e.__traceback__)
            except BaseException:
                sys.__excepthook__(type(e), e, e.__traceback__)
            return 1, isinstance(e, KeyboardInterrupt)

    @staticmethod
    def status_of(code):
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xff
        try:
            sys.stderr.write(str(code) + "\n")
        except Exception:
            pass
        return 1

    def leave(self, status, interrupted):
        """What an ending interpreter does, but for taking apart all modules: that would cost more than most scripts."""
        if "threading" in sys.modules:
            try:
                sys.modules["threading"]._shutdown()
            except BaseException as e:
                sys.excepthook(type(e), e, e.__traceback__)
        self.atexit._run_exitfuncs()
        good = self.flush_standard()
        names = self.main.__dict__
        for name in [n for n in names if n[0] == "_" and n != "__builtins__"] + [n for n in names if n[0] != "_"]:
            names[name] = None
        self.gc.collect()
        for thing in self.gc.get_objects():  # those that came since the copy was made
            if isinstance(thing, self.streams):
                self.flush(thing)
        for thing in self.writers:
            self.flush(thing)
        good &= self.flush_standard()
        if interrupted:
            import _signal
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
            self.os.kill(self.os.getpid(), _signal.SIGINT)
        self.c.exit(status if good else 120)

    def flush_standard(self):
        """Complains as the interpreter does; what could not be written is not tried twice."""
        out = sys.stdout
        try:
            if out is not None and not out.closed:
                out.flush()
        except Exception as e:
            sys.stdout = None
            try:
                sys.stderr.write(f"Exception ignored in: {out!r}\n{type(e).__name__}: {e}\n")
            except Exception:
                pass
            self.flush(sys.stderr)
            return False
        self.flush(sys.stderr)
        return True

    @staticmethod
    def flush(stream):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            pass


def main():
    if sys.version_info < (3, 8):
        import _socket
        _socket.socket(fileno=3).send(b"XPython 3.8 or newer is needed for start = fork")
        return
    template = Template(sys.argv[1], dict(a.partition("=")[::2] for a in sys.argv[2:]))
    try:
        template.load()
        template.prepare()
        args = template.serve()
    except (Unfit, Stale) as e:
        template.control.send((b"C" if isinstance(e, Stale) else b"X") + str(e).encode("utf-8", "replace")[:400])
        template.os._exit(0)
    template.name_set(args)
    template.leave(*template.run())


main()
