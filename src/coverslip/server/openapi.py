"""Print the OpenAPI document of a server with accounts, as `coverslip.app.openapi` does that of the app."""

import json
import sys
from pathlib import Path

from coverslip.server.app import create_accounts_app
from coverslip.server.folder import AccountServer

if __name__ == "__main__":
    document = create_accounts_app(AccountServer(Path("/nowhere"), ())).openapi()
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
