"""The workspace of the app: datasets, labels, trainings and predictions. It is independent of HTTP.

The parts, each of which imports only from those above it:

- `store`: the folder of the workspace, its database, and conversion between rows and records;
- `workers`: work of some minutes at most, in processes that end with the server;
- `viewing`: images for display: filters, facts, pictures and colors;
- `datasets`: open, read, label, group and change datasets; uploads; tables for trainings;
- `recipes`: the choices for a training, and their validation;
- `jobs`: trainings and predictions as processes: queue, watch and end them; results of trainings;
- `evaluations`, `objects`, `predictions`, `studies`: evaluations on external test sets, objects in fields of view,
  predictions with corrections, and studies;
- `leakage_audit`, `maps`, `explanations`, `correcting`: leakage estimates, distances and maps of datasets, explanations
  of single images, and corrections of labels among results;
- `suggestions`, `changes`, `cleanup`: images to label next and groupings, changes since a page read its data, and the
  deletion of expired files;
- `lists`, `viewing`: images that jobs measured or predicted, and pictures of images;
- `exports`, `backups`: classifiers for other programs, and copies of the workspace.
"""

from coverslip.errors import require_extra
from coverslip.messages import text

require_extra("app", text("extra-for-app"))
