"""Every finding code, with what it means and what to do about it.

Codes are stable: one that is here keeps its meaning. ``P`` is about plugins, ``C`` about configuration, ``R`` about
records and runs, ``T`` about trust.
"""

from plugline.values import Value


class Code(Value):
    """One finding code.

    Attributes:
        title: What it is, in a few words.
        meaning: What was looked for and what was met.
        remedy: What to do.
    """

    __slots__ = ("meaning", "remedy", "title")
    title: str
    meaning: str
    remedy: str

    def __init__(self, title: str, meaning: str, remedy: str) -> None:
        self._set(title=title, meaning=meaning, remedy=remedy)


CODES = {
    # ------------------------------------------------------------------ P1: what can be read of a plugin
    "P101": Code(
        "a plugin's file cannot be read",
        "The file is not there, vanished while it was read, is a link to nothing, or may not be read by this user.",
        "Put it back, or make it readable for the user who runs the program.",
    ),
    "P102": Code(
        "what bears a plugin's name is not a regular file",
        "A directory, a FIFO, a socket or a device has a name that ends in .py. It was not opened.",
        "Rename it, move it out of the plugin folder, or begin its name with '_'. A folder with an __init__.py is a plugin.",
    ),
    "P103": Code(
        "a module that a plugin imports is not installed",
        "The plugin has an import that is always run, and no module of that name can be found; or the import failed while "
        "the plugin was loaded.",
        "Install what the hint says. A file beside the plugin is imported relatively: from . import name.",
    ),
    "P104": Code(
        "a plugin's file is too large",
        "At most 1 MiB of source is read. A larger file is data, or not Python source at all.",
        "Move data out of the code, into a file that the plugin opens.",
    ),
    "P105": Code(
        "a plugin's file is not text",
        "It holds a NUL byte, or is not in UTF-8 and does not declare another encoding.",
        "Save it as UTF-8, or declare its encoding in its first line: # -*- coding: latin-1 -*-",
    ),
    "P106": Code(
        "a plugin is not valid Python",
        "Python's own parser refused it; the place is where the parser gave up.",
        "Mend the syntax there, or just before. It may need a newer version of Python.",
    ),
    "P107": Code(
        "two plugins have one name",
        "Another plugin of this name comes first, in an earlier place or earlier in the alphabet, and is the one that is used. "
        "So does a folder x beside x.py, which would be one module whatever PLUGIN_NAME they have.",
        "Rename one of them, or give it another PLUGIN_NAME.",
    ),
    "P108": Code(
        "a plugin is a link that leads out of its folder",
        "What is run is to lie in the plugin folder, where whoever looks after the folder can see it.",
        "Copy the file into the folder instead of linking it.",
    ),
    "P109": Code(
        "what a plugin says of itself is wrong",
        "Its PEP 723 block is not valid, or its name, version, API version, dependencies, requires, after or priority are of the wrong type.",
        "Mend the block or the constant at the place. API versions are strings: REQUIRED_API_VERSION = '1.10', not 1.10.",
    ),
    "P110": Code(
        "a place for plugins cannot be looked into",
        "The folder is not there, is a file, or cannot be read; the package is not installed; or the plugins of a zip file are a folder deeper.",
        "Create the folder, or mend its name in 'plugins' of the pipeline or after --plugins.",
    ),
    "P111": Code(
        "a plugin requires another version of Python",
        "Its requires-python does not contain the version that is running, and there is no environment with one that it does contain.",
        "Where such a Python is installed, plugline sync makes an environment with it, and the plugin runs in a worker there. Or run the program with such a Python, or take another version of the plugin.",
    ),
    "P112": Code(
        "a plugin requires one that is not there",
        "Its requires names a plugin that none of the host's places holds.",
        "Put the plugin that it names beside it, or mend the name: the hint has the nearest one.",
    ),
    "P113": Code(
        "a plugin requires one that cannot be used",
        "A plugin that its requires names was rejected, is disabled or set aside, declined, or could not be loaded.",
        "Mend or enable that plugin first; its own findings say what is wrong with it.",
    ),
    "P114": Code(
        "plugins wait for each other",
        "What they say in requires and after leads from a plugin back to itself, so that none of them can come first. "
        "The message shows the way round.",
        "Take one of the names out of requires or after.",
    ),
    "P115": Code(
        "what is disabled is not known",
        "plugline.toml cannot be read or written, or is not what it should be. Where it says nothing that can be "
        "understood, no plugin beside it is used, for it may be one that was disabled.",
        'Mend the line that the finding names: disabled = ["name"]',
    ),
    "P116": Code(
        "a plugin is disabled",
        "plugline.toml or the host's own store names it, or the host left it out by only= or plugins=False.",
        "plugline enable NAME, or host.enable(name); for a plugin that the host left out, open it with other arguments.",
    ),
    "P117": Code(
        "a name is disabled, or asked for alone, that no plugin has",
        "What plugline.toml disables may come back, so the name is kept. For only= and --only it is an error.",
        "Mend the name as the hint says, or plugline enable NAME to forget it.",
    ),
    # ------------------------------------------------------------------ P2: whether it provides what it has to
    "P201": Code(
        "a plugin lacks functions",
        "The interface asks for functions, methods or a base class that the plugin does not define itself. What it only "
        "imports from elsewhere does not count.",
        "Define them in the file itself. An import from elsewhere does not count.",
    ),
    "P202": Code(
        "what should be a function is none",
        "The name is there, but holds a value that cannot be called; or a function, or a class, where the interface asks for an "
        "instance.",
        "Define a function of this name; or make the instance, by calling the class or by the decorator that makes one.",
    ),
    "P203": Code(
        "a function cannot be called as the interface says",
        "It takes too few or too many parameters, or needs one that the host does not give.",
        "Define it with the parameters that the hint shows; further ones need a default.",
    ),
    "P205": Code(
        "several classes in one plugin fit",
        "More than one class provides the interface: each is a plugin, file:Class. A file was asked for by its own name, and its "
        "text does not show which of them is meant.",
        "Ask for file:Class. Classes that are not to be plugins have names that begin with '_', or are not in __all__.",
    ),
    "P206": Code(
        "a transform returns nothing",
        "There is no return in it, nor a yield, so that it returns None for each record, which drops it. A warning.",
        "Return the record; or, where it is to drop all of them, write return None.",
    ),
    "P210": Code(
        "a plugin requires another API version",
        "'1.2' means the same major version and at least that minor one; anything else is a range as PEP 440 has it.",
        "Take a version of the plugin for this host, or a newer host.",
    ),
    "P211": Code(
        "an API version cannot be understood",
        "REQUIRED_API_VERSION, or api in the block, is neither 'X.Y' nor a range such as '>=1.2,<2'.",
        "Write one of these.",
    ),
    # ------------------------------------------------------------------ P3: what it does while it is loaded
    "P301": Code(
        "a plugin raised while it was loaded",
        "Its code, or that of a module that it imports, raised an exception. Nothing of it was kept.",
        "Mend that line. What may fail belongs in the functions, or in available().",
    ),
    "P302": Code(
        "a plugin tried to end the program while it was loaded",
        "It called sys.exit(), or raised SystemExit.",
        "Put what is to run as a program under: if __name__ == '__main__':",
    ),
    "P305": Code(
        "a plugin could not say whether it is available",
        "Its available() raised, or its answer cannot be read.",
        "Return True, or the reason why it does not apply here.",
    ),
    "P306": Code(
        "a plugin changed the process while it was loaded",
        "It replaced or added builtins, changed sys.path, sys.meta_path or the current folder, or put other modules in the place of those that were there. A warning: the plugin is in use, and what could be undone was.",
        "Use imports relative to the plugin (from . import x), paths from its __file__ on, names of its own, and what the host passes.",
    ),
    "P307": Code(
        "a plugin takes long to load",
        "Its code was still running after the time that the host allows before it warns, and may hang. A warning; the place is "
        "the line of the plugin that it was at.",
        "Do at the first call what takes long, and give what waits for others an end (a timeout).",
    ),
    "P309": Code(
        "a plugin could not end what it began",
        "Its on_unload() raised. A warning: the plugin is gone all the same.",
        "Mend that line.",
    ),
    "P310": Code(
        "a plugin is in quarantine",
        "So many of its calls in a row failed that it is not called any more.",
        "Mend it at the place and reload it, or let it go on as it is: host.release(name).",
    ),
    "P311": Code(
        "a plugin asks for itself while it is loaded",
        "Its code, or that of a plugin that it loads, asks the host for the plugin that is being loaded.",
        "Ask for it at the first call, or say in requires what comes first.",
    ),
    # ------------------------------------------------------------------ P33: reloading
    "P330": Code(
        "the new version of a plugin says that it does not apply",
        "Its available() returned a reason. The generation before stays in force.",
        "See the reason; unload the plugin if it is not to be used any more.",
    ),
    "P331": Code(
        "an edit cannot be followed by this interpreter",
        "Beyond the bodies of functions, an edit is put in force by means that only CPython has.",
        "Restart the program.",
    ),
    "P332": Code(
        "a module that was not run by plugline is not reloaded",
        "What is installed, or was imported by the program's own package, is held by others without plugline knowing of it. "
        "Files that plugline runs are reloaded.",
        "Restart the program; while you work on the plugin, let the host look into a folder that holds its file, and let "
        "nothing else import it.",
    ),
    # ------------------------------------------------------------------ P36: in workers
    "P360": Code(
        "isolation names a plugin that is not there",
        "A key of the host's isolation is no plugin's name. The plugin that was meant would run without what was asked for it.",
        'Mend the name; the hint tells the nearest. "*" stands for every other plugin.',
    ),
    "P361": Code(
        "a plugin cannot run in a worker",
        "What its host gives it cannot cross to another process: an injected name that is no plain value, or a base class that "
        "cannot be imported there.",
        "Do what the hint says, or run the plugin in the host's own process.",
    ),
    "P362": Code(
        "the sandbox is not to be had",
        "The kernel, or the place where the program runs, does not allow for a part of it; on Windows there are no workers at all. "
        "The plugin was not run with less.",
        "plugline doctor tells what there is. isolation = 'process' keeps crashes from the host, and grants everything.",
    ),
    "P363": Code(
        "the worker of a plugin died while it was loaded",
        "It ended, took too long, or sent what is no answer before the plugin was ready.",
        "See the log for its last words. A plugin that needs long to load is given more: Sandbox(timeout_seconds=...).",
    ),
    "P364": Code(
        "the workers of a plugin died too often",
        "Three workers in a row died without an answer between them, so the plugin is in quarantine, and no further one is started. "
        "With a plugin that says STATEFUL = True one is enough: what it had seen is gone with it.",
        "Mend the plugin, then load it anew: host.reload(). Or let it try again: host.release(). In a pipeline its records are dead letters, to be retried.",
    ),
    "P365": Code(
        "a plugin needs what is not there",
        "The environment that runs the program does not have what the plugin's block depends on, or has another version of it, and no "
        "environment was made for it.",
        "plugline sync makes one, in which the plugin runs as a worker; or install what it needs where the program runs.",
    ),
    "P366": Code(
        "an environment cannot be made",
        "uv is not installed, or could not find or install what plugins depend on. Nothing was changed.",
        "See what uv says, and mend the plugin's dependencies or the network. Without the network: plugline sync --offline.",
    ),
    # ------------------------------------------------------------------ P4: in other programs
    "P400": Code(
        "the name that a plugin needs is somebody else's",
        "The host puts plugins at the top level, under their own names, and a module of that name is there already: one of "
        "the standard library, or one that is installed.",
        "Rename the plugin's file or folder. It shadows nobody.",
    ),
    "P401": Code(
        "pytest refuses a plugin",
        "It was loaded, and pytest would not register it: it implements a hook with arguments that there are not, or adds an "
        "option that is there already.",
        "Mend the hook or option that the message names; where the same plugin is installed as well, remove one of the two.",
    ),
    "P402": Code(
        "a dropped Django app is broken",
        "Its apps.py, models, urls, migrations or ready() raised, or its label is another app's. The site runs without "
        "what failed.",
        "Mend the place that the message names, and start the site again.",
    ),
    "P403": Code(
        "a dropped ASGI middleware is broken",
        "The file runs, and defines no class that can be called with a scope, or the class's constructor raised; or options are "
        "for a file that is not there. The version before, where there is one, stays in use.",
        "Mend the place that the message names; saving the file is enough.",
    ),
    "P404": Code(
        "pluggy refuses a plugin",
        "It was loaded, and does not fit the program's hook specifications: a hook or an argument that there is not, or the "
        "name of a plugin that the program has already. Nothing of it is registered; after a reload the version before goes on.",
        "Mend the hook that the message names, and reload it.",
    ),
    # ------------------------------------------------------------------ C: configuration
    "C101": Code(
        "a key is not known",
        "The table of the pipeline, or the plugin's settings, have no such key.",
        "Take the nearest of the known ones, which the hint names. plugline info NAME tells a plugin's settings.",
    ),
    "C102": Code(
        "a key is missing",
        "A value that has no default was not given.",
        "Add it to the table at the place.",
    ),
    "C103": Code(
        "a value has the wrong type",
        "A value of another type was declared: a string is not taken for a number, nor true for 1.",
        "Write a value of the type that the message expects.",
    ),
    "C104": Code(
        "a value is not allowed",
        "It has the right type, but is not one of the values that are possible, or the plugin refused it.",
        "Write one of the values that the message expects. plugline info NAME tells a plugin's settings.",
    ),
    "C105": Code(
        "text is not valid TOML",
        "The parser gave up at the place; only the first fault can be told.",
        "Mend that line: strings stand in quotes, and a table may be opened only once.",
    ),
    "C106": Code(
        "a processor or engine cannot be found or used",
        "No plugin in the folders, of those shipped or of those installed has this name, or the one that has it was "
        "rejected, for the reason that is told next.",
        "Mend the name, or 'plugins' of the pipeline; plugline list tells what there is.",
    ),
    "C107": Code(
        "a format cannot be found",
        "No format has this name, or none is known for the end of the file's name.",
        "Name one: format = 'ndjson' in the pipeline, --from or --to on the command line; plugline list tells what there is.",
    ),
    "C108": Code(
        "a plugin that is used does not apply here",
        "Its own available() said so, and gave the reason.",
        "Mend what the reason says, or use another plugin.",
    ),
    "C109": Code(
        "a file of the command or the pipeline cannot be read",
        "A source, a pipeline file or something to check is not there or cannot be read.",
        "Mend the name, or put the file there. Paths in a pipeline are relative to the folder of the pipeline file.",
    ),
    "C111": Code(
        "an output cannot be written where it is to go",
        "The sink or the file for dead letters is a folder, in a folder that is missing or not writable, or one of the files "
        "of the run itself, which would be replaced.",
        "Name another file, or create the folder.",
    ),
    "C130": Code(
        "an environment variable is not declared",
        "A value names a variable as ${NAME}, and [env] of the pipeline does not declare it: what a pipeline takes from its "
        "surroundings is to be seen in one place.",
        'Declare it: env = ["NAME"], or a table [env] with its default. For the text itself write $${NAME}.',
    ),
    "C131": Code(
        "an environment variable is not set",
        "A value names it, [env] declares it, and it has neither a value in the environment nor a default.",
        "Set it, or give it a default in [env].",
    ),
    "C132": Code(
        "an environment variable holds something else than declared",
        "[env] says that it is an integer, a number, or true or false, and its text is nothing such. The text is not told: it may "
        "be a secret.",
        "Set it to a value of the type, or mend the type in [env].",
    ),
    "C150": Code(
        "a worker of a cluster cannot see an input",
        "The engine runs splits on other machines, and a file of the source is not there under the same path.",
        'Put it on storage that all of them share, or at an address such as s3://; or take engine = "local".',
    ),
    "C151": Code(
        "a worker of a cluster cannot write the parts of an output",
        "The sink is a folder of parts, which the engine's workers write themselves, and the folder is not there under the same "
        "path for one of them, or may not be written to.",
        "Put it on storage that all of them share; or leave out parts in [sink]: then the one that drives the run writes one file.",
    ),
    # ------------------------------------------------------------------ R: records and runs
    "C112": Code(
        "another run is writing the same output",
        "A run that has not ended holds the journal beside the output. Nothing was read or written.",
        "Wait for its end, or name another output.",
    ),
    "C113": Code(
        "a run cannot be gone on with",
        "The input, the pipeline or a plugin is not what it was when the run began; the finding names which. Half an output of each would be neither.",
        "Run it without --resume to begin anew, or put back what it was.",
    ),
    "C114": Code(
        "a source cannot be followed, or plugins not be taken into a run",
        "Following needs files that can be read again after a restart, and an output that can be written as it goes. "
        "Edited plugins can be taken (--watch) by engines that run splits one after the other, and by steps without state.",
        "Follow a file, a folder or a pattern, into ndjson, csv or lines. Without --watch: run it as it is.",
    ),
    "R101": Code(
        "the source cannot be read any further",
        "The file could not be opened or read, its compressed data is broken, or the format cannot go on. The run stopped; "
        "its output is not in place.",
        "Mend the file, or cut it where the message says, and run again.",
    ),
    "R102": Code(
        "the sink cannot be written",
        "The folder is missing or not writable, or the disk is full. The run stopped; nothing is left under the final name.",
        "Make room, or name another output.",
    ),
    "R103": Code(
        "dead letters cannot be written",
        "Records failed, and the file that was to keep them could not be written. The run stopped, so that they are not lost.",
        "Name another file: dead_letters in [run], or --dead-letters.",
    ),
    "R104": Code(
        "too many records failed",
        "More records became dead letters than max_errors allows. Better a stop than an output that is quietly empty.",
        "See the dead letters, mend the data or the plugin, or raise max_errors in [run] (--max-errors).",
    ),
    "R105": Code(
        "a step failed that says on_error = 'stop'",
        "The step raised for a record, and is not to go on without it.",
        "Mend the record or the plugin, or choose another on_error for the step.",
    ),
    "R106": Code(
        "an engine failed",
        "It raised, or did not give back the part of every split in order; or its cluster went away. The run stopped; its output is not in place.",
        "Mend what it says, or choose another engine (--engine): --resume goes on from what was done, on any of them.",
    ),
    "R110": Code(
        "a run was interrupted",
        "By Ctrl-C, or by a signal to end. What was done is told; the output is not in place, and dead letters are not kept.",
        "Run it again; where the output is a file, --resume goes on after what was done.",
    ),
    "R180": Code(
        "a part of the output is not where it was written",
        "The worker that ran a split wrote its part into the folder of the output, and the one that drives the run does not find "
        "it there: under that path they have two folders.",
        "Put the output on storage that all of them share; or leave out parts in [sink].",
    ),
    "R160": Code(
        "a test of a pipeline failed",
        "What came out, or what failed, is not what [[tests]] of the pipeline expects. Under it, '-' stands before what is "
        "expected and '+' before what came.",
        "Mend the plugin or the test; plugline preview shows records step by step.",
    ),
    "R161": Code(
        "an example in a plugin's docstring failed",
        "What its expression printed is not what stands under it. Under it, '-' stands before what is expected and '+' before "
        "what came.",
        "Mend the plugin or the example.",
    ),
    "R162": Code(
        "a plugin makes a command fail",
        "plugline bisect ran the command with some of the plugins: without this one, and all after it in the order of their names, "
        "it ended with 0, and with it no more. Together with others means that the plugin alone does not make it fail.",
        "Disable the plugin, or mend it.",
    ),
    "R111": Code(
        "the input changed while it was read",
        "A file was replaced, shortened or written to at the same length. What was read may be half of each, so the output is not put in place.",
        "Run it again, on a file that nobody writes. A file that only grows is fine: what was there at the beginning is read.",
    ),
    "R113": Code(
        "a followed file was rotated",
        "Another file has its name. What was left of the old one was read, and the new one is read from its beginning.",
        "Nothing, if that is how your logs are kept.",
    ),
    "R114": Code(
        "a followed file was cut off",
        "It is shorter than what had been read of it, or holds something else. It is read from its beginning.",
        "Nothing, if that is how your logs are kept; what was cut off before it was read is lost.",
    ),
    # ------------------------------------------------------------------ T: trust
    "T101": Code(
        "writable by all users",
        "The file, or a folder above it, may be changed by anybody on this machine, so anybody may say what the plugin does.",
        "Run the chmod command that the hint gives.",
    ),
    "T102": Code(
        "writable by a group",
        "The file, or a folder above it, may be changed by the members of a group. A warning, unless the policy is strict.",
        "Run the chmod command that the hint gives, where the group is not meant to write there.",
    ),
    "T103": Code(
        "owned by another user",
        "The file, or a folder above it, belongs neither to root nor to the user who runs the program. A warning, unless the policy is strict.",
        "Run the chown command that the hint gives, or run the program as that user.",
    ),
    "T104": Code(
        "owner not known",
        "The path to the file could not be followed to its end, so nobody can say who may change it.",
        "Mend the link or the folder that the finding names.",
    ),
    "T201": Code(
        "reads files without declaring it",
        "The source shows it, and the plugin's permissions do not cover it. The audit is hygiene, not a boundary: what it does not see may still happen.",
        "Add the line that the hint gives to [tool.plugline] of the plugin's block.",
    ),
    "T202": Code(
        "writes files without declaring it",
        "As T201, for writing, renaming or removing files.",
        "Add the line that the hint gives to [tool.plugline] of the plugin's block.",
    ),
    "T203": Code(
        "uses the network without declaring it",
        "As T201, for sockets and the modules above them.",
        "Add net = true to the permissions of the plugin's block.",
    ),
    "T204": Code(
        "runs programs without declaring it",
        "As T201, for starting other programs.",
        "Add run = true to the permissions of the plugin's block.",
    ),
    "T205": Code(
        "reads the environment without declaring it",
        "As T201, for environment variables.",
        "Add the line that the hint gives to [tool.plugline] of the plugin's block.",
    ),
    "T206": Code(
        "uses native code without declaring it",
        "As T201, for ctypes, cffi and libraries that it loads by path.",
        "Add native = true to the permissions of the plugin's block.",
    ),
    "T207": Code(
        "makes code at run time without declaring it",
        "As T201, for exec, eval, compile and imports of computed names.",
        "Add dynamic = true to the permissions of the plugin's block, or do without.",
    ),
    "T208": Code(
        "touches the process that it runs in",
        "It ends or forks the process, or sets signal handlers, which belong to the host.",
        "Leave that to the host.",
    ),
    "T209": Code(
        "changes what belongs to others",
        "It sets attributes of builtins, of sys or of other modules.",
        "Use names of its own, and what the host passes.",
    ),
    "T301": Code(
        "not in the lock",
        "There is a plugline.lock, and this plugin is not in it.",
        "Look at the plugin, then: plugline trust.",
    ),
    "T302": Code(
        "changed since it was trusted",
        "The plugin's digest is another than in plugline.lock. The finding names what it asks for beyond what was granted.",
        "Look at plugline trust --diff, then: plugline trust.",
    ),
    "T303": Code(
        "a file that a plugin imports is not the one that was trusted",
        "A helper, a module of a package or a native file has another digest than in plugline.lock, or is not in it.",
        "Look at plugline trust --diff, then: plugline trust.",
    ),
    "T304": Code(
        "asks for more than was granted",
        "The plugin's permissions go beyond those in plugline.lock.",
        "Look at plugline trust --diff, then: plugline trust.",
    ),
    "T305": Code(
        "the lock cannot be used",
        "plugline.lock is not valid, or was edited by hand to something that is no lock. No plugin of its folder is loaded.",
        "Mend the line that the finding names, or make the lock again: plugline trust.",
    ),
    "T306": Code(
        "the host's policy failed",
        "The policy that the program gave its host raised, or returned something other than findings. What it cannot judge is refused.",
        "Mend the policy, at the line that the finding names.",
    ),
    "T401": Code(
        "permissions are declared wrongly",
        "The permissions table of the plugin's block has an unknown key or a value of the wrong type.",
        "Mend it as the hint says; known keys are read, write, net, run, env, native, dynamic.",
    ),
    "T402": Code(
        "asks for more than the host grants",
        "The plugin declares permissions that the host's policy does not grant.",
        "Ask whoever runs the host to grant them, or take a plugin that needs less.",
    ),
}
