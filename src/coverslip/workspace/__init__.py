"""What the app remembers on this machine: datasets, labels, trainings, predictions. It knows no HTTP.

Sub-rooms, each importing from those above it alone:

- `store`: the workspace's folder, its database, and rows as the records that other rooms know;
- `viewing`: images to be looked at: which of them, what is known of each, their pictures and colours;
- `datasets`: opened, read, labelled, grouped, changed; uploads; tables of them for trainings;
- `recipes`: what a training can be asked for, and the checking of what comes back;
- `jobs`: trainings and predictions as processes: queued, watched, ended; what trainings reached;
- `predictions`: what classifiers said of images, and what people say of that.

Beside them `job_kinds`, where the kinds of jobs differ, and `forgetting` and `tidying`, which know what of one room
another still needs.
"""

from coverslip.errors import require_extra

require_extra("app", "The web app")
