"""The files of a starter project."""

HELLO = """\
# Try it:  ostinato serve hello.yaml app:app
#          ostinato emit hello --data '{"name": "Ada"}'
workflow: hello
on: [{event: hello, input: event.data}]
input_schema:
  type: object
  properties: {name: {type: string, default: world}}
phases:
  - phase: prepare
    jobs:
      - {job: greet, run: greetings.compose, with: {name: "${ input.name }"}, retry: 5}
  - phase: deliver
    when: input.name != "nobody"
    jobs:
      - {job: send, run: greetings.send, with: {text: "${ jobs.greet.output }"}}
      - {job: tell, emit: {type: GREETED, data: {name: "${ input.name }"}}, needs: [send]}
output: {text: "${ jobs.greet.output }"}
"""

APP = '''\
"""The handlers that hello.yaml calls. Whatever they raise is tried again, as `retry` says."""

from ostinato import App

app = App()


@app.handler("greetings.compose")
def compose(name: str) -> str:
    return f"Hello, {name}!"


@app.handler("greetings.send", timeout="30s")
async def send(text: str) -> None:
    print(text, flush=True)
'''

TEST = '''\
"""python -m pytest"""

from pathlib import Path

from app import app, compose


def test_a_greeting_names_its_reader():
    assert compose("Ada") == "Hello, Ada!"


def test_the_workflow_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("OSTINATO_STORE", f"sqlite:///{tmp_path}/test.db")
    hello = Path(__file__).with_name("hello.yaml")
    with app.sync as ostinato:
        ostinato.deploy(hello)
        run = ostinato.start("hello", name="Ada")
        assert run.result(timeout=10) == {"text": "Hello, Ada!"}
'''

README = """\
# Hello, Ostinato

    ostinato check hello.yaml --app app:app
    ostinato serve hello.yaml app:app

and in another terminal

    ostinato emit hello --data '{"name": "Ada"}'
    ostinato runs
    ostinato show last

Stop the server at any moment, even with `kill -9`, and start it again: runs go on where they were.
Everything is kept in `ostinato.db`; to start over, stop the server and delete `ostinato.db*`.

| file | holds |
|---|---|
| `hello.yaml` | the workflow: phases of jobs, and the event that starts it |
| `app.py` | the handlers, ordinary Python functions |
| `test_hello.py` | the test: `python -m pytest` |
"""

FILES = {"hello.yaml": HELLO, "app.py": APP, "test_hello.py": TEST, "README.md": README}
