"""The workspace of the app: datasets, labels, trainings and predictions. It is independent of HTTP.

The parts, each of which imports only from those above it:

- `workers`: work of some minutes at most, in processes that end with the server;
- `store`: the folder of the workspace, its database, and conversion between rows and records;
- `jobs`: all kinds of jobs as processes: queue, watch and end them;
- `viewing`: images for display: filters, facts, pictures and colors;
- `datasets`: open, read, label, group and change datasets; uploads; tables for trainings;
- `recipes`: the choices for a training, and their validation;
- `trainings`: trainings and their results;
- `lists`: images that jobs measured or predicted;
- `evaluations`, `exports`, `leakage_estimates`, `objects`, `predictions`, `studies`: evaluations on external test sets,
  classifiers for other programs, leakage estimates of datasets, objects in fields of view, predictions,
  and studies;
- `correcting`, `dataset_maps`, `explanations`: corrections of labels among results, maps of datasets, and explanations
  of single images;
- `changes`, `cleanup`, `suggestions`: changes since a page read its data, the deletion of expired files, and images to
  label next and groupings;
- `backups`: copies of the workspace.
"""

from coverslip.errors import require_extra

require_extra("app")
