"""The web app: a REST door and built pages in front of the workspace."""

from coverslip.errors import require_extra

require_extra("app")
