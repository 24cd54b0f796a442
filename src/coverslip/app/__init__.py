"""The web app: a REST door and built pages in front of the workspace."""

from coverslip.errors import require_extra
from coverslip.messages import text

require_extra("app", text("extra-for-app"))
