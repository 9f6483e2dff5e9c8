"""The commands of `artrestore weights`."""

import typer

from artrestore.cli.weights import change, give, show

app = typer.Typer(
    name="weights", no_args_is_help=True, help="List, fetch, check, remove, add, export and publish weights."
)
app.command("list")(show.list_weights)
app.command("info")(show.info)
app.command("path")(show.path)
app.command("download")(change.download)
app.command("verify")(change.verify)
app.command("remove")(change.remove)
app.command("add")(change.add)
app.command("export")(give.export)
app.command("publish")(give.publish)
