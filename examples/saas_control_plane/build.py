"""Stands for Terraform: it is told a tenant and a size, and says what it has made."""

import json
import os
import sys

told = dict(os.environ)
tenant, action, size = (
    json.loads(told["tenant"]),
    told.get("action", "apply"),
    told.get("size", "M"),
)
print(f"{action}: a stack of size {size} for {tenant['name']}")
if size not in ("S", "M", "L"):
    sys.exit(f"there is no size {size}")
made = {
    "appPlaneUrl": f"https://{tenant['id']}.example.com",
    "resources": [{"type": "bucket", "metadata": {"bucket": f"stack-{tenant['id']}"}}],
}
with open(told["OSTINATO_RESULT"], "w") as file:
    json.dump(made, file)
