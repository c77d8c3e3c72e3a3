"""A release and its regions, kept in a dictionary; a real one talks to clusters."""

from ostinato import App, Fail

app = App()

RUNNING = {"eu": "v1", "us": "v1", "ap": "v1"}
SICK: set[str] = set()


@app.handler("images.build")
async def build(release: str) -> str:
    return release


@app.handler("regions.install")
async def install(region: str, image: str) -> dict[str, str]:
    before, RUNNING[region] = RUNNING[region], image
    return {"before": before}


@app.handler("regions.put_back")
async def put_back(region: str, image: str) -> None:
    RUNNING[region] = image


@app.handler("regions.health")
async def health(region: str) -> str:
    if region in SICK:
        raise Fail(f"{region} answers with errors", name="Unhealthy")
    return "fine"
