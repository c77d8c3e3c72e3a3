"""How a workflow is written: YAML or JSON → one graph that the core runs.

source        a document as written: values with line and column
yaml          YAML 1.2 core schema → places          strict_json   JSON → places
quoting       the quoted line to write instead
keys          every key, now and later: one table     reader        maps by that table
kinds         how a value is read, by its kind        actions       wait, emit, http, each, retry
document      load: text → documents                  needs         the order that `needs` make
compile       document → graph                        check         what cannot work
schema        the published JSON Schema               input         input_schema: check, defaults
registry      versions of workflows
"""

from ostinato.definitions.compile import HandlerDefaults, compile
from ostinato.definitions.document import Document, TriggerSpec, load, read, triggers
from ostinato.definitions.input import input_check

__all__ = [
    "Document",
    "HandlerDefaults",
    "TriggerSpec",
    "compile",
    "input_check",
    "load",
    "read",
    "triggers",
]
