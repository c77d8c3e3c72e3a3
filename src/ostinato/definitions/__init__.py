"""How a workflow is written: YAML or JSON → one graph that the core runs.

source        a document as written: values with line and column
yaml          YAML 1.2 core schema → places          strict_json   JSON → places
quoting       the quoted line to write instead
keys          every key, now and later: one table     reader        maps by that table
kinds         how a value is read, by its kind        actions       wait, emit, http, each, retry
tasks         what a job asks of people
bodies        jobs, and what stands in for them or takes them back
load          text → documents                        document      what a document says
triggers      what starts a run: events, cron, intervals
cron          cron expressions, intervals, zones   planning      what schedules cannot mean
needs         the order that `needs` make             compile       document → graph
sight         what an expression may see              meaning       what it can give
calls         workflows that call one another        arguments     what built-in handlers take
check         everything that cannot work             values        texts that are more than a word
labels        names that nothing could be found by
schema        the published JSON Schema               input         input_schema: check, defaults
registry      versions of workflows                  write         graph → document
"""

from ostinato.definitions.check import check, check_text, report
from ostinato.definitions.compile import HandlerDefaults, compile
from ostinato.definitions.document import Document, TriggerSpec
from ostinato.definitions.input import input_check
from ostinato.definitions.load import load, read
from ostinato.definitions.write import write

__all__ = [
    "Document",
    "HandlerDefaults",
    "TriggerSpec",
    "check",
    "check_text",
    "compile",
    "input_check",
    "load",
    "read",
    "report",
    "write",
]
