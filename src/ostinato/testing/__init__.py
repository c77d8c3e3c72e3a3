"""The kit for tests: what users and adapters hold their own code against.

generate          workflows made by chance: documents and graphs
play              a graph, played without an engine on a virtual clock
storage_contract  what every store promises
bus_contract      what every connector promises, in and out
history_checker   judges stored histories against what is promised
simulation        the whole runtime in virtual time, crashed at every await
"""
