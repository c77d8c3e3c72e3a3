"""The HTTP door. It translates; it decides nothing about workflows.

asgi        the application: lifespan, dispatch, the one place where errors become answers
operation   what a route is; paths → operations
auth        who is calling, and whether they may: the one permission check
bodies      requests' bodies, bounded and strict
answers     JSON and empty answers
errors      the one error body
lists       queries, pages, cursors
workflows, deploying, runs, repairs, starting, events, ingress, incoming, notifications, attempts,
callbacks, jobs, letters, bulk, schedules, tasks, stream, retention, members, buses, health, pages
            the routes, by resource
openapi     the document of all routes
reference   docs/reference/doors.md
"""
