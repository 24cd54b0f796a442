"""Print the OpenAPI document of the app, from which a typed client is generated: `python -m coverslip.app.openapi`."""

import json
import sys
from pathlib import Path

from coverslip.app.server import create_app
from coverslip.workspace.store.workspace import Workspace

if __name__ == "__main__":
    document = create_app(Workspace(Path("/nowhere"), ())).openapi()
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
