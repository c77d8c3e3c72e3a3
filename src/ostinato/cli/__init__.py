"""The command line: ``ostinato COMMAND …``.

commands  the table of commands; only the one that is asked for is imported
options   options that commands share
failure   every error as one line with its mend, and the exit codes
output    for people: tables and colour; without a terminal: plain lines; --json: data
texts     JSON from an argument, a file or stdin
words     how runs, steps and times are told
client    what commands ask of a server or a store
remote    … of a running server, over HTTP
local     … of a store that no server holds, through App
connect   which of the two
documents what check says of documents                  drawing  a graph as text
sources   documents, directories, applications given    ending   the end of a run, as an exit code
archived  runs that were exported
refusal   what a server refused                         starter  the files of a new project
server    the process of serve                          reference  made parts of the docs
conditions what a drawing says beside a name
bulk      one repair for many runs                      operations  how far those are
receiving how requests come in
repairs   pause, resume, retry, skip, fork and signal
bench     what this machine does, a package of its own
the rest  one command per file, named after it
"""

from ostinato.cli.commands import main, run

__all__ = ["main", "run"]
