"""An app with several stores: each has an app of its own, and here is who is asked for what.

No rule about workflows is here: only which store has what (``core.shards``), and how several
answers are one.

part       the app of one store                  parts      all of them; who has what
presence   whether a store answers
life       opened and closed together            deploying  workflows and schedules
events     at home, and copies where needed      starting   starts, repairs of one run
reserved   a key whose run begins in another store
reading    one run where it is, lists from all   merging    several answers as one
working    tasks of people, jobs of workers      mending    dead letters, repairs of many runs
"""

from ostinato.app.shards.mending import Shards

__all__ = ["Shards"]
