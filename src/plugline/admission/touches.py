"""What names of the standard library, and of libraries in wide use, touch.

A table, read by :mod:`plugline.admission.audit`. A name that ends in a dot stands for everything below it.
"""

# What is touched, in the order in which findings are told.
KINDS = ("read", "write", "net", "run", "env", "native", "dynamic", "process", "patch")

_READ = """
glob.glob glob.iglob linecache.getline linecache.getlines os.listdir os.scandir os.walk os.fwalk tokenize.open
fileinput.input fileinput.FileInput filecmp.cmp filecmp.dircmp mimetypes.read_mime_types netrc.netrc
pandas.read_csv pandas.read_excel pandas.read_fwf pandas.read_json pandas.read_orc pandas.read_parquet
pandas.read_table pandas.read_xml polars.read_csv polars.read_json polars.read_ndjson polars.read_parquet
polars.scan_csv polars.scan_parquet numpy.fromfile numpy.genfromtxt numpy.load numpy.loadtxt
PIL.Image.open pyarrow.csv.read_csv pyarrow.json.read_json pyarrow.parquet.read_table pyarrow.parquet.ParquetFile
xml.etree.ElementTree.parse xml.dom.minidom.parse xml.sax.parse
"""
_WRITE = """
os.chflags os.chmod os.chown os.lchown os.lchmod os.link os.makedirs os.mkdir os.mkfifo os.mknod os.remove os.removedirs
os.rename os.renames os.replace os.rmdir os.symlink os.truncate os.unlink os.utime os.setxattr os.removexattr
shutil.rmtree shutil.chown shutil.copymode shutil.copystat tempfile.
numpy.save numpy.savetxt numpy.savez numpy.savez_compressed
"""
_READ_AND_WRITE = """
shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.move shutil.make_archive shutil.unpack_archive
sqlite3.connect dbm.open dbm.dumb.open dbm.gnu.open dbm.ndbm.open shelve.open logging.FileHandler
logging.handlers.RotatingFileHandler logging.handlers.TimedRotatingFileHandler logging.handlers.WatchedFileHandler
"""
_NET = """
socket.socket socket.create_connection socket.create_server socket.fromfd socket.getaddrinfo socket.gethostbyaddr
socket.gethostbyname socket.gethostbyname_ex socket.getnameinfo socket.getfqdn
asyncio.open_connection asyncio.start_server asyncio.open_unix_connection asyncio.start_unix_server
ftplib.FTP ftplib.FTP_TLS http.client.HTTPConnection http.client.HTTPSConnection http.server. imaplib. nntplib. poplib.
smtplib. socketserver. ssl.get_server_certificate telnetlib. urllib.request.urlopen urllib.request.urlretrieve
urllib.request.build_opener urllib.request.install_opener urllib.request.OpenerDirector urllib.robotparser.
wsgiref.simple_server. xmlrpc.client.ServerProxy xmlrpc.client.Server xmlrpc.server. logging.handlers.SMTPHandler
logging.handlers.HTTPHandler logging.handlers.SocketHandler logging.handlers.DatagramHandler
logging.handlers.SysLogHandler multiprocessing.connection.
aiohttp. boto3. botocore. curl_cffi. dns.resolver. ftputil. google.cloud. grpc. httpx. mechanize. paramiko. praw.
psycopg.connect psycopg2.connect pymysql. pycurl. redis. requests. requests_cache. requests_html. requests_oauthlib.
selenium. slack_sdk. tornado.httpclient. tweepy. urllib2. urllib3. websocket. websockets. zmq.
"""
_RUN = """
asyncio.create_subprocess_exec asyncio.create_subprocess_shell concurrent.futures.ProcessPoolExecutor
concurrent.futures.process.ProcessPoolExecutor multiprocessing.Pool multiprocessing.Process
multiprocessing.Manager multiprocessing.pool.Pool multiprocessing.process. multiprocessing.get_context
os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe os.fork os.forkpty os.popen
os.posix_spawn os.posix_spawnp os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp
os.spawnvpe os.startfile os.system pexpect. plumbum. pty.fork pty.spawn sh.
subprocess.Popen subprocess.call subprocess.check_call subprocess.check_output subprocess.getoutput
subprocess.getstatusoutput subprocess.run webbrowser.
"""
_ENV = """
os.environ os.environb os.getenv os.getenvb os.putenv os.unsetenv os.path.expandvars
"""
_NATIVE = """
cffi.FFI ctypes.CDLL ctypes.OleDLL ctypes.PyDLL ctypes.WinDLL ctypes.cdll ctypes.cast ctypes.memmove ctypes.memset
ctypes.oledll ctypes.pydll ctypes.pythonapi ctypes.string_at ctypes.util.find_library ctypes.windll ctypes.wstring_at
ctypes.LibraryLoader _ctypes. imp.load_dynamic importlib.machinery.ExtensionFileLoader numpy.ctypeslib.load_library
"""
_DYNAMIC = """
builtins.exec builtins.eval builtins.compile builtins.__import__ builtins.execfile cloudpickle.load cloudpickle.loads
code.InteractiveConsole code.InteractiveInterpreter code.interact codeop. dill.load dill.loads importlib.import_module
importlib.__import__ importlib.machinery.SourceFileLoader importlib.machinery.SourcelessFileLoader
importlib.util.module_from_spec importlib.util.spec_from_file_location imp.load_source imp.load_module joblib.load
marshal.load marshal.loads pickle.Unpickler pickle.load pickle.loads pkgutil.get_loader pkgutil.find_loader
runpy. types.CodeType types.FunctionType yaml.unsafe_load yaml.full_load yaml.UnsafeLoader
"""
_PROCESS = """
os._exit os.abort os.chdir os.chroot os.fchdir os.kill os.killpg os.nice os.setegid os.seteuid os.setgid os.setgroups
os.setpgid os.setpriority os.setregid os.setresgid os.setresuid os.setreuid os.setsid os.setuid os.umask
resource.setrlimit signal.alarm signal.pthread_kill signal.raise_signal signal.set_wakeup_fd signal.setitimer
signal.signal signal.siginterrupt gc.disable gc.freeze sys.setprofile sys.setrecursionlimit sys.setswitchinterval
sys.settrace sys.addaudithook sys._current_frames threading.setprofile threading.settrace
"""
# What is called on these makes the change; reading them is common, and harmless.
_PATCH = """
site.addsitedir gettext.install
"""

# Opened as by open(): the second argument, or ``mode``, says for what.
OPENERS = frozenset({
    "builtins.open", "io.open", "io.FileIO", "codecs.open", "gzip.open", "gzip.GzipFile", "bz2.open", "bz2.BZ2File",
    "lzma.open", "lzma.LZMAFile", "zipfile.ZipFile", "zipfile.PyZipFile", "tarfile.open", "tarfile.TarFile", "wave.open",
    "pathlib.Path().open", "aiofiles.open",
})  # fmt: skip

# What makes a pathlib.Path of one, or of a string.
PATH_MAKERS = frozenset(
    {"pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.Path.home", "pathlib.Path.cwd"}
)
PATH_KEEPERS = frozenset({
    "absolute", "expanduser", "joinpath", "parent", "readlink", "relative_to", "resolve", "with_name", "with_stem",
    "with_suffix",
})  # fmt: skip
PATH_METHODS = {
    "read": frozenset({"read_text", "read_bytes", "iterdir", "glob", "rglob", "walk"}),
    "write": frozenset(
        {
            "chmod",
            "hardlink_to",
            "lchmod",
            "mkdir",
            "rename",
            "replace",
            "rmdir",
            "symlink_to",
            "touch",
            "unlink",
            "write_bytes",
            "write_text",
        }
    ),
}
# Methods that hardly anything but a path has.
TELLING_METHODS = {"read_text": "read", "read_bytes": "read", "write_text": "write", "write_bytes": "write"}

# Below a name that stands for everything: classes of errors and constants, which touch nothing.
HARMLESS = frozenset({
    "requests.codes", "requests.compat", "requests.exceptions", "requests.models", "requests.status_codes",
    "requests.structures", "requests.utils", "requests.__version__", "requests.adapters", "requests.auth",
    "urllib3.exceptions", "urllib3.util", "urllib3.disable_warnings", "urllib3.__version__",
    "aiohttp.ClientTimeout", "httpx.Timeout", "httpx.URL", "httpx.codes", "botocore.exceptions", "redis.exceptions",
    "tempfile.gettempdir", "tempfile.tempdir", "websockets.exceptions", "curl_cffi.__version__",
    "pymysql.converters", "pymysql.err", "grpc.StatusCode",
})  # fmt: skip
HARMLESS_ENDINGS = ("Error", "Exception", "Warning", "Timeout", "Response", "Request", "Empty")


def _table() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    exact: dict[str, tuple[str, ...]] = {}
    below: dict[str, tuple[str, ...]] = {}
    texts = (
        (_READ, ("read",)),
        (_WRITE, ("write",)),
        (_READ_AND_WRITE, ("read", "write")),
        (_NET, ("net",)),
        (_RUN, ("run",)),
        (_ENV, ("env",)),
        (_NATIVE, ("native",)),
        (_DYNAMIC, ("dynamic",)),
        (_PROCESS, ("process",)),
        (_PATCH, ("patch",)),
    )
    for text, kinds in texts:
        for name in text.split():
            (below if name.endswith(".") else exact)[name.rstrip(".")] = kinds
    return exact, below


EXACT, BELOW = _table()
