# The app and its workspace: requests, datasets, labels, jobs, results and the database.

## Requests and the server

wrong-host = The app does not accept requests for this host name
    .do = Open the address that coverslip printed when it was started.

wrong-origin = Another web page sent this request
    .do = Open the app in its own tab, at the address that coverslip printed.

missing-token = The token of the app is missing or wrong
    .do = Open the address with ?token=… that coverslip printed, or restart coverslip and request a new token.

open-coverslip = Continue to coverslip

invalid-request = The request is not valid
    .detail = The request is not valid: { $reasons }.

not-json = This is not JSON

not-a-json-object = This is not a JSON object with the content type application/json

options-without-preset = is_small, arms and all_tables belong to a preset

either-dataset-or-sources = give either dataset_id or sources

either-label-or-excluded = give either label or excluded

request-not-understood = The request could not be understood

unknown-address = There is nothing at this address

wrong-method = This address does not accept this kind of request

request-too-large = The request is larger than the server accepts at this address

request-limit = The server accepts at most { $n_bytes } bytes at this address.

http-error = { $phrase }

not-unicode = A name or text contains characters that are not Unicode
    .do = Write it without these characters. If it is the name of a file or folder, rename that file or folder.

disk-refused = The operating system refused access to the disk: { $reason }
    .do = Free some space, or check that you can write to the folder of the app. Existing files are intact.

request-aborted = The request was interrupted
    .do = Send it again.

internal-error = An error occurred inside coverslip
    .do = This is a bug in coverslip. Report it, with the end of log/app.log in the folder of the app.

no-files-in-form = The request contains no files
    .do = Send the files as fields of a form (multipart/form-data).

file-too-large = The file is larger than { $n_mb } MB
    .do = Send a smaller file.

no-such-address = This computer has no address '{ $host }'
    .do = Give one of its own addresses, or none.

cannot-listen = The server cannot listen at { $host }: { $reason }
    .do = Give one of the addresses of this computer, or none.

## The workspace and its database

workspace-not-created = The workspace could not be created: { $reason }
    .do = Choose another folder for the workspace.

missing-root = This folder does not exist
    .do = Choose another folder that the app may read.

missing-path = This file or folder does not exist
    .do = Choose another one.

outside-roots = This file or folder is outside the folders that the app may read
    .do = Choose one below { $roots }, or allow the app to read this one as well.

outside-workspace = This file or folder is outside the workspace { $workspace }, which therefore does not change it
    .do = Open the workspace that contains it.

workspace-not-locked = The workspace cannot be written to or locked: { $reason }
    .do = Free some space, or choose another folder for the workspace.

workspace-open-elsewhere = Another coverslip already uses this workspace{ $has_address ->
        [true] , at { $address }
       *[false] { "" }
    }
    .do = Use that coverslip, stop it with Ctrl-C in its terminal, or choose another folder for the workspace.

workspace-busy = The database of the workspace is in use
    .do = Try again later.

workspace-database-unusable = The database of the workspace cannot be used: { $reason ->
        [full] the disk is full
        [read-only] the file is read-only
        [not-opened] the file cannot be opened
       *[no-answer] the disk does not respond
    }
    .do = Free some space, or check that you can write to its folder. Existing content is intact.

workspace-database-damaged = The database of the workspace is damaged: { $reason }
    .do = { $has_backup ->
        [true] Restore the newest backup into a new folder, or choose another folder for the workspace.
       *[false] No backup is recorded here. Replace the file with a copy, or choose another folder for the workspace.
    } The folder runs/ is not affected.

database-log-without-file = the file is missing, but its log '{ $name }' exists

missing-table = the table '{ $table }' is missing

missing-table-columns = the table '{ $table }' has no column { $columns }

workspace-version = This workspace has the format { $version }{ $has_needed ->
        [true] , written by coverslip { $needed }
       *[false] { "" }
    }, and this version of coverslip reads the format { $expected }
    .do = { $has_needed ->
        [true] Install coverslip { $needed } or a later version
       *[false] Use the version of coverslip that wrote it
    }, or choose another folder for the workspace. Nothing was changed.

workspace-upgrade = The workspace { $folder } has the format { $version }. coverslip brings it to the format { $expected }, and keeps its database from before in { $copy }. If this is interrupted, the workspace is unchanged.

workspace-upgraded-while-served = A server uses this workspace, whose format an upgrade would change
    .do = Stop the server with Ctrl-C in its terminal, then start it with this version of coverslip.

server-without-accounts = The accounts of this server are missing, although it has projects
    .do = Restore the server from a backup into a new folder, or move accounts.sqlite back.

workspace-on-network-drive = This folder is on a network drive ({ $file_system }), where two computers can damage the database of the workspace
    .do = Choose a folder on a disk of this computer.

workspace-database-empty = The database of the workspace is empty
    .do = { $has_backup ->
        [true] Restore the newest backup into a new folder.
       *[false] No backup is recorded here. Replace the file with a copy. Without a copy, labels and names are lost: remove the empty file to start again, or choose another folder for the workspace.
    }

backup-without-workspace = There is no workspace here
    .do = Choose the folder of the workspace. `coverslip app` prints it.

backup-exists = This file already exists
    .do = Choose another name for the backup, or remove the file.

no-backup-folder = This server has no folder for backups
    .do = Ask whoever runs the server to start it with a folder for backups, or to back it up by command.

backup-in-progress = A backup is being written
    .do = Wait until it is complete.

backup-without-server = There is no server with accounts in this folder
    .do = Choose the folder of the server.

backup-of-server-not-accepted = This folder is no complete backup of a server
    .do = Choose a folder that `coverslip backup --server` has written.

backup-inside-workspace = The backup would be inside the workspace
    .do = Choose a file outside the workspace, best on another disk.

backup-file-not-read = This file could not be read: { $reason }
    .do = Check that you may read it, and that its disk responds.

backup-database-not-copied = The database could not be copied: { $reason }
    .do = Try again. If it is damaged, remove the prediction that it belongs to, or restore an earlier backup.

backup-name-not-accepted = The name of this file is too long for a backup
    .do = Rename it, or remove it.

backup-too-many-files = The workspace has { $n_files } files, more than a backup can contain
    .do = Remove uploaded images or runs that you no longer need.

backup-overtaken = Runs or classifiers were removed or restored while the backup was made
    .do = Make the backup again.

restore-folder-not-empty = This folder is not empty
    .do = Choose a new or empty folder for the workspace.

restore-disk-full = The workspace needs { NUMBER($needed_mb, maximumFractionDigits: 0) } MB, and { NUMBER($free_mb, maximumFractionDigits: 0) } MB are free
    .do = Free some space, or choose a folder on another disk.

backup-not-accepted = This backup cannot be restored: { $why }
    .do = Nothing was restored. Use another backup, or copy this one again from where it is stored.

backup-version = This backup is from { $has_needed ->
        [true] coverslip { $needed }, whose format this version does not read
       *[false] another version of coverslip
    }
    .do = Restore it with the version that made it.

backup-other-system = This backup is from another operating system, whose paths differ
    .do = Restore it on Linux or macOS if it was made there, and on Windows if it was made on Windows.

backup-without-manifest = it has no valid { $name }

backup-other-file = '{ $name }' is not a file of a workspace

backup-incomplete = it is incomplete

not-in-trash = This is no longer in the trash
    .do = It cannot be restored.

original-location-taken = Another file or folder of the same name is at the original location
    .do = Move '{ $name }' to another location.

## Datasets

no-such-dataset = This dataset does not exist
    .do = It may have been removed. Check the list of datasets.

other-images-match = Since the images were listed, some have joined or left them ({ $n_listed } were listed, { $n_matching } match now), so nothing was changed
    .do = Check the images that match now, and repeat the change.

filters-without-list = The request selects images by filters without the list of these images, so nothing was changed
    .do = List the images with the same filters, and give their number (`n_listed`) and the digest of the list (`digest`).

unreadable-samples = The saved samples and conditions of the prediction cannot be read: { $what }
    .do = To use folders as samples again, select 'Start again' on the page 'Proportions by sample'. The file is kept under another name.

other-sampling-saved = Somebody else has changed these samples or their conditions in the meantime
    .do = The page shows the current ones. Check them, and repeat your change if it is still needed.

image-files-changed = { $n_images ->
        [one] A file has
       *[other] { $n_images } files have
    } changed since coverslip read { $n_images ->
        [one] it
       *[other] them
    }: { $names }
    .do = Choose 'Update from files' on the overview of the dataset. Labels then stay on the images that they were given for.

images-overwritten = { $n_images ->
        [one] Other content has overwritten an image
       *[other] Other content has overwritten { $n_images } images
    } since { $n_images ->
        [one] it was
       *[other] they were
    } labeled, confirmed or excluded: { $names }
    .do = Open the checks of the dataset, and keep or drop the labels, confirmations and exclusions.

predicted-files-changed = { $n_images ->
        [one] A file has
       *[other] { $n_images } files have
    } changed since { $n_images ->
        [one] it was
       *[other] they were
    } predicted: { $names }
    .do = Restore the earlier { $n_images ->
        [one] file
       *[other] files
    }, remove the answers about { $n_images ->
        [one] this image
       *[other] these images
    }, or predict the images again.

images-changed = { $n_missing ->
        [one] { $n_missing } of these images is
       *[other] { $n_missing } of these images are
    } no longer in the dataset, so nothing was changed
    .do = Reload the images, then select them again.

missing-source = The folder or table of these images does not exist
    .do = Put it back, or choose its new location on the page of the dataset.

images-still-reading = The images are still being read
    .do = Wait until they have been read.

images-not-read = The images could not be read
    .do = The page of the dataset says why. Correct the problem, then read the images again.

images-not-there = The images do not exist yet
    .do = Wait until coverslip has drawn them.

dataset-changed-meanwhile = The sources, groups or pixels of the dataset were changed meanwhile, so nothing was changed
    .do = Reload the page, then make your change again.

reading-failed = The images could not be read ({ $reason })
    .do = Read the images again. If that fails too, report it.

dataset-reading-stopped = Reading was stopped
    .do = It continues automatically.

unlabeled-dataset = No image has a label
    .do = Label some images of each class first.

source-not-absolute = '{ $path }' is not an absolute path
    .do = Give the whole path of a folder, such as /data/cells.

source-not-text = The name of this file or folder is not text
    .do = Rename the file or folder.

repeated-source = This file or folder is given twice
    .do = Remove one of the two.

all-images-outside = All of these images are outside the folders that the app may read
    .do = Choose another folder, or allow the app to read this one as well.

image-outside = An image is outside the folders that the app may read
    .do = Choose other images, or allow the app to read their folder as well.

reason-outside = It is outside the folders that the app may read

adapted-name = { $name } for { $dataset }

several-sources = { $n } sources

names-and-more = { $names } and { $n } more

english-text = { $text }

two-messages = { $first }; { $second }

what-and-do = { $what }. { $do }

list-of-messages = { $first }, { $second }

list-and-more = { $first }, …

either-message = { $first } or { $second }

not-a-message = it contains no message

not-a-table-file = This is not a table
    .do = Choose a file whose name ends in .csv or .tsv.

groups-not-joined = The group '{ $name }' is in two groups to join, or is not among those that get its name
    .do = Join each group once, under one of the names.

both-column-and-pattern = A group column and a group pattern are given
    .do = Give only one of them.

slow-group-pattern = The group pattern '{ $pattern }' takes too long
    .do = Make it simpler. Nested repeats such as (a+)+ can take forever.

unusable-group-pattern = The group pattern '{ $pattern }' is not a regular expression: { $reason }
    .do = For names such as slide07_cell3.png, write slide[0-9]+.

no-image-with-row-id = The dataset has no image { $row_id }
    .do = The dataset may have been read again. Reload the page.

no-object-of-field = The image is not an object of a field of view
    .do = Open the viewer of this image instead.

no-such-tile = The image has no such tile
    .do = Read the number of levels and the size from the description of the image.

pictures-not-needed = The pictures are no longer needed
    .do = Request them again.

dataset-in-use = '{ $name }' still uses these images
    .do = Stop it first, or wait until it is done.

## Uploads

no-such-upload = This upload does not exist
    .do = Start a new upload.

upload-finished = The upload is finished
    .do = Start a new upload for further images.

upload-without-table = These files contain no table
    .do = Create a dataset of the images alone.

upload-too-large = The files are larger than the { NUMBER($n_gb, minimumFractionDigits: 1, maximumFractionDigits: 1) } GB that are left for this upload
    .do = Send fewer images, or open their folder instead of sending it.

upload-too-many-files = There are more than { $n_files ->
        [one] { $n_files } file
       *[other] { $n_files } files
    }
    .do = Send fewer images, or open their folder instead of sending it.

upload-archive-empty = The archive contains no file
    .do = Create a new zip file of the folder of images.

upload-name-taken = '{ $name }' already exists and is of another kind
    .do = Give it another name and send it again.

upload-archive-name-taken = The upload already has '{ $name }', which this archive contains too, so nothing was unpacked
    .do = Put the images into a folder of another name, and pack them again, or send them without an archive.

## Classes and labels

empty-class-name = The class has no name
    .do = Enter a name.

long-class-name = The name of the class is too long
    .do = Use at most { $n_characters } characters.

reserved-name = No class can have the name '{ $name }': in predictions, this word means that no class was decided
    .do = Choose another name.

repeated-class-name = Two classes have the same name
    .do = Give each class its own name.

invalid-classes = These classes cannot be used: { $reason }
    .do = Correct their names.

no-such-change = There is no such change
    .do = Reload the page.

change-gone = This change was already undone or redone
    .do = Reload the page.

changed-since = All images of this change were changed again since then, so nothing was undone or redone
    .do = Reload the page. Change the images again where needed.

unlabeled-not-confirmed = An image without a label cannot be confirmed
    .do = Label it first.

objects-of-dataset = Objects of { $name }

finder-preview-ended = The finder ended without a result, or took too long
    .do = Choose other settings, or search a smaller field.

objects-paths-or-finder = Give either paths of files, or the source finder

no-dataset-map = This dataset has no map yet
    .do = Compute the map first.

live-is-off = Live is off for this dataset
    .do = Switch it on. The features of the images are computed first.

features-in-progress = The features of the images are being computed
    .do = Wait until this is finished, or cancel it.

too-many-images-for-live = The dataset has { $n_images } images. Live predicts at most { $n_most }
    .do = Open a part of the images as a dataset.

correction-not-of-job = The label of this image was changed elsewhere, so the correction cannot be removed here
    .do = Choose the class of the image.

labels-without-dataset = These images are not from a dataset of the app, so their labels cannot be corrected here
    .do = Open the images as a dataset and train on it.

only-labels-of-measured = In the results of a training or an evaluation, images can be relabeled only
    .do = Exclude the image in its dataset.

image-left-dataset = The image is no longer in its dataset
    .do = Read the dataset again, or add the folder of the image.

no-answers-yet = No image has a corrected or confirmed class yet
    .do = Correct or confirm the class of some images first.

no-joined-table = This table of added images does not exist
    .do = Reload the page.

only-joined-images = The dataset has no other images
    .do = Remove the dataset.

empty-new-dataset = The new dataset would contain no images
    .do = Correct some rows first, or include all rows.

dataset-of-corrections = { $name }, corrected

dataset-of-predictions = { $name }, as predicted

labels-not-checked = The labels of this training have not been checked
    .do = Find suspected label errors first.

## Jobs

no-such-job = No job has this ID
    .do = It may have been deleted. Check the list.

no-such-list = No dataset, training, evaluation or prediction has this ID
    .do = It may have been deleted. Check the list.

no-such-training = This training does not exist
    .do = It may have been deleted. Check the list of trainings.

job-changed = Another request changed this job at the same moment
    .do = Reload the page, then try again.

job-ended = This job has already ended
    .do = There is nothing left to stop.

job-finished = This job is finished
    .do = Start a new one.

job-not-ended = This job has not ended
    .do = Stop it first.

job-in-use = '{ $name }' still uses this job
    .do = Stop it first, or wait until it is done.

not-finished-early = This training cannot be finished early now
    .do = Wait until it ends, or stop it and resume it later.

training-removed = The training of this evaluation was removed
    .do = Restore the training first.

job-fault = Unexpected error, from the log: “{ $reason }”
    .do = This is a bug in coverslip. Report it, with the output of the process.

job-not-started = The process could not be started: { $reason }
    .do = Correct the cause, then resume the job.

job-ended-silently = The process ended without a message
    .do = Start the job again. The computer may have run out of memory, or may have been switched off.

job-ended-by-signal = A signal ended the process ({ $signal })
    .do = Start the job again. If the signal is SIGKILL, the computer probably ran out of memory: close other programs, or use a smaller network, smaller images or smaller batches.

job-ended-with-error = The process ended with exit code { $exit_code }, from its log: “{ $reason }”
    .do = Read the log of the job. If the cause is not clear from it, report the error with the log.

job-ended-with-code = The process ended with exit code { $exit_code } and no error message
    .do = Read the log of the job. If the cause is not clear from it, report the error with the log.

job-took-memory = The job took { NUMBER($taken, maximumFractionDigits: 1) } GB of memory; the limit for a job is { NUMBER($limit, maximumFractionDigits: 1) } GB
    .do = Use a smaller network, smaller images or smaller batches, or ask whoever runs the app to raise the limit. A training that is resumed continues from its last saved state.

near-duplicates-pending = Near-duplicates have not been searched for yet. If the training finds some, it keeps them in the same set, and its split differs slightly from this one.

preview-ended-silently = The process that draws the images ended without a result, or took too long
    .do = Try again when the computer is less busy.

training-not-finished = This training is not finished
    .do = Let it finish, or resume it.

no-classifier-yet = There is no classifier yet
    .do = Let the training continue, or resume it.

predictions-busy = { $n_requests } requests for predictions are in progress
    .do = Send the request again in a few seconds.

prediction-damaged = The table of predictions is damaged after row { $n_rows }
    .do = Predict the images again.

prediction-not-finished = This prediction is not finished
    .do = Wait until it is done, or resume it.

spot-check-is-labeled = Images of this spot check are labeled
    .do = Remove the spot check with its labels before you draw other images.

spot-check-not-finished = Not all drawn images of the spot check are labeled
    .do = Label all of them first, so that the result of the spot check does not depend on when you stopped.

no-image-to-read = There is no further labeled image to draw
    .do = Label more images first.

row-not-drawn = This image is not drawn
    .do = Reload the page.

blind-label-of-other-class = '{ $label }' is none of the classes { $classes }
    .do = Choose one of them. For another class of a dataset, add it to the dataset first; exclude an image of a prediction that shows none.

second-reading-by-first-author = The first label of this image is by { $author }
    .do = Let another reader label it: a second reading compares two readers.

spot-check-not-labeled = No image of the spot check is labeled
    .do = Label the drawn images first.

summary-of-stated-proportions = These predictions assume stated class proportions, so that their counts do not show the proportions of the samples
    .do = Predict the images again without expected class proportions.

summary-of-earlier-thresholds = The decision thresholds of the classifier have changed since this prediction, so that its errors on test images are not those of these predictions
    .do = Predict the images again.

export-not-finished = This export is not finished
    .do = Let it finish, or start it again.

no-run-folder-yet = The run has no folder yet
    .do = Wait until the training starts.

no-run-file-yet = The job has no { $name } yet
    .do = Let it finish, or resume it.

no-results-yet = This run has no results yet
    .do = Let the training finish, or resume it.

no-evaluation-results-yet = This evaluation has no results yet
    .do = Let it finish, or start it again.

training-on-images = { $training } on { $dataset }

runs-to-compare = A comparison needs 2 to { $n_max } runs
    .do = Choose 2 to { $n_max } runs.

not-measured-yet = “{ $name }” has no results yet
    .do = Compare runs that are finished.

no-measured-images = No image has been measured yet
    .do = Let the job finish, or resume it.

no-threshold-to-choose = There is no threshold to choose: this needs two classes with 5 validation images each
    .do = Keep the current decision.

no-explanation-yet = This image has no explanation yet
    .do = Request the explanation, and wait until it is drawn.

image-moved = The image is no longer at its location
    .do = Put back the folder or table that it was opened from.

study-not-ended = The study is waiting or running
    .do = Wait until the study ends, or stop it. Then repeat the request.

no-training-to-analyze = No training { $is_distance ->
        [true] with pretraining on other images
       *[false] of this study
    } has finished
    .do = { $is_distance ->
        [true] Distances are measured to pretraining images. To compare any datasets, use the command `coverslip distance`.
       *[false] Resume the study, and repeat the request when a training has finished.
    }

training-while-timing = '{ $name }' is running, so the prediction time would be wrong
    .do = Wait until no training is running, and repeat the request.

no-such-study-time = No measurement of this kind has this ID
    .do = Request the time of the study again.

## Predictions

no-such-classifier = No classifier here has this ID
    .do = It may have been removed. Check the list of classifiers.

classifier-ended = The process of the classifier ended on this image
    .do = Use the same image in a prediction. Its page says why the image fails.

prediction-images-changed = The images have changed since this prediction started
    .do = Start a new prediction. The rows of this one remain.

prediction-classifier-changed = The classifier or its decision thresholds have changed since this prediction started
    .do = Start a new prediction, or restore the earlier thresholds and resume. The rows of this one remain.

no-such-row = No row has this number
    .do = Reload the page.

## Filters of images

unknown-filter = These images cannot be filtered or sorted by { $name } '{ $value }'
    .do = Remove this filter.

filter-without-training = This filter needs a training
    .do = Say which training.

no-split-yet = The training has no split yet
    .do = Wait until it has read the images.

## Recipes and networks

repeated-section = '{ $section }' is given twice
    .do = Give each section once.

recipe-path-refused = { $what }

refused-path = { $what }: { $path }

training-of-other-dataset = That training used another dataset
    .do = Train without the split of an earlier training.

split-not-kept = The split of that training cannot be reused: { $what }

training-without-split = That training has no split
    .do = Train without its split.

recommended-network = A good first choice: small, and fast without a GPU as well.

network-cost = { $cost ->
        [unknown] The amount of computation is unknown
        [same] About the same amount of computation as the recommended network
        [less] About { NUMBER($cost_ratio, style: "percent", maximumFractionDigits: 0) } of the computation of the recommended network
       *[more] About { NUMBER($cost_ratio, maximumFractionDigits: 1) } times the computation of the recommended network
    }, { $size ->
        [same] about the same number of parameters
        [less] { NUMBER($size_ratio, style: "percent", maximumFractionDigits: 0) } of its parameters
       *[more] { NUMBER($size_ratio, maximumFractionDigits: 1) } times its parameters
    }.

import-network-weights = Import { $weights }.

## Studies

study-folds-of-split = The images of { $name } have a reserved test set or a predefined split, which cross-validation would not follow
    .do = Release the test set at the images of the dataset, or open the images without the split.

plan-of-other-images = The plan contains images of a dataset that is not chosen: { $path }
    .do = Choose this dataset as well. The plan gives its folder or table.

comparison-damaged = The comparison is damaged
    .do = Resume the study. It writes the comparison again.

no-comparison-yet = Nothing has been compared yet
    .do = The study writes the comparison when it ends or is stopped.

# Accounts and projects

not-signed-in = Nobody is signed in
    .do = Sign in, or send the key of a script: Authorization: Bearer KEY.

not-administrator = Only administrators may do this
    .do = Ask an administrator of the server.

role-too-low = This needs the role { $needed } in the project; yours is { $role }
    .do = Ask an administrator of the server for this role.

change-of-other-user = { $author } made this change
    .do = Annotators undo their own changes only. Ask an editor of the project.

no-such-user = No account has this ID or name
    .do = It may have been removed. Check the list of accounts.

user-name-not-valid = This name is not valid
    .do = Use 1 to 64 characters without spaces, slashes, quotation marks, colons, commas and semicolons.

user-name-used = There is already an account with the name { $name }
    .do = Choose another name.

user-name-removed = The account { $name } was removed
    .do = Restore it on the page Accounts, or choose another name: labels and trainings of the removed account keep its name.

last-administrator = No active administrator would remain
    .do = Make another account an administrator first.

user-has-proxy = A proxy signs this user in, so there is no password
    .do = Sign in at the proxy.

invitation-not-valid = The invitation is not valid, or has been used or replaced
    .do = Ask an administrator for a new invitation.

wrong-name-or-password = Name or password is wrong
    .do = Check both. If you forgot the password, ask an administrator for an invitation.

too-many-attempts = There were too many wrong passwords for this name, or from this address
    .do = Wait { $seconds } s, then try again.

too-many-streams = { $of ->
        [user] Your account
       *[address] Your address
    } already receives { $n } event streams
    .do = Close browsers, or end scripts, that receive events. Then wait { $seconds } s, and try again.

password-length = A password has { $n } to 1000 characters
    .do = Choose another password, for example of several words.

many-sign-ins = Many users are signing in at this moment
    .do = Try again in a few seconds.

script-may-not = The key of a script does not allow this
    .do = Sign in with a password for changes of accounts and projects.

root-contains-server = Projects may not read the folder of the server
    .do = Choose a folder that neither contains it nor is in it.

no-such-script-key = No key of this user has this ID
    .do = It may have been removed. Check the list of keys.

no-such-project = No project has this ID
    .do = It may have been removed, or you may not use it. Check the list of projects.

project-full = The project has reached the limit of its size
    .do = Delete trainings, predictions or uploaded images, or ask an administrator for a higher limit. The size is measured every minute.

server-not-created = The folder of the server could not be created ({ $reason })
    .do = Choose a folder that you may write to.

objects-not-of-app = The objects of this dataset were not found or read by the app, so their table is not changed
    .do = Open the fields in the app, and find or read the objects there.

edit-of-several-fields = The selected objects are not in one field of view
    .do = Select objects of one field.

outline-not-usable = The outline contains no pixel of the field, or more than 4 million
    .do = Draw around one object inside the field.
