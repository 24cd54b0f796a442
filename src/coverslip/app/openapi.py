"""Print an OpenAPI document, from which a typed client is generated: `python -m coverslip.app.openapi [accounts]`."""

import json
import sys
from pathlib import Path

from coverslip.accounts.server import AccountServer
from coverslip.app.accounts import create_accounts_app
from coverslip.app.server import create_app
from coverslip.workspace.store.workspace import Workspace

if __name__ == "__main__":
    nowhere = Path("/nowhere")
    is_accounts = sys.argv[1:] == ["accounts"]
    app = create_accounts_app(AccountServer(nowhere, ())) if is_accounts else create_app(Workspace(nowhere, ()))
    sys.stdout.write(json.dumps(app.openapi(), indent=1) + "\n")
