PRAGMA user_version = 13;
BEGIN TRANSACTION;
CREATE TABLE adjudications (dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE, row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE, label VARCHAR NOT NULL, made VARCHAR NOT NULL, made_by VARCHAR NOT NULL, change_id INTEGER, PRIMARY KEY (dataset_id, row_id)) WITHOUT ROWID;
INSERT INTO "adjudications" VALUES('d',1,'b','m','eva',1);
CREATE TABLE changed_labels (change_id INTEGER NOT NULL REFERENCES label_changes (id) ON DELETE CASCADE, row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE, earlier_label VARCHAR, PRIMARY KEY (change_id, row_id)) WITHOUT ROWID;
INSERT INTO "changed_labels" VALUES(1,1,NULL);
CREATE TABLE confirmed_labels (dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE, row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE, label VARCHAR NOT NULL, made VARCHAR NOT NULL, made_by VARCHAR NOT NULL, PRIMARY KEY (dataset_id, row_id));
INSERT INTO "confirmed_labels" VALUES('d',2,'a','m','me');
INSERT INTO "confirmed_labels" VALUES('d',5,'z','m','me');
INSERT INTO "confirmed_labels" VALUES('d',7,'b','m','me');
CREATE TABLE corrections (
	job_id VARCHAR NOT NULL, 
	row_id INTEGER NOT NULL, 
	label VARCHAR NOT NULL, 
	made VARCHAR NOT NULL, 
	made_by VARCHAR NOT NULL, 
	is_excluded BOOLEAN DEFAULT '0' NOT NULL, 
	is_of_spot_check BOOLEAN DEFAULT '0' NOT NULL, 
	PRIMARY KEY (job_id, row_id), 
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE coverslip_versions (version INTEGER PRIMARY KEY, coverslip VARCHAR NOT NULL, made VARCHAR NOT NULL);
INSERT INTO "coverslip_versions" VALUES(13,'0.1.0','2026-11-30T07:20:38+00:00');
CREATE TABLE dataset_maps (
	dataset_id VARCHAR NOT NULL, 
	n INTEGER NOT NULL, 
	columns BLOB NOT NULL, 
	created VARCHAR NOT NULL, 
	PRIMARY KEY (dataset_id), 
	FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE
);
CREATE TABLE datasets (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	sources JSON NOT NULL, 
	is_labeled BOOLEAN NOT NULL, 
	group_column VARCHAR, 
	group_pattern VARCHAR, 
	group_merge JSON NOT NULL, 
	class_names JSON NOT NULL, 
	class_plan JSON NOT NULL, 
	opened JSON, 
	pixel_choice JSON, 
	display JSON, 
	summary JSON NOT NULL, 
	revision INTEGER NOT NULL, 
	state VARCHAR NOT NULL, 
	progress JSON, 
	error JSON, 
	created VARCHAR NOT NULL, 
	removed VARCHAR, 
	PRIMARY KEY (id)
);
INSERT INTO "datasets" VALUES('d','cells','folders','[]',1,NULL,NULL,'{}','[]','{}',NULL,NULL,NULL,'{}',0,'ready',NULL,NULL,'',NULL);
CREATE TABLE image_colors (
	row_id INTEGER NOT NULL, 
	color BIGINT NOT NULL, 
	PRIMARY KEY (row_id), 
	FOREIGN KEY(row_id) REFERENCES images (row_id) ON DELETE CASCADE
);
CREATE TABLE image_facts (
	row_id INTEGER NOT NULL, 
	facts JSON, 
	reason VARCHAR, 
	PRIMARY KEY (row_id), 
	FOREIGN KEY(row_id) REFERENCES images (row_id) ON DELETE CASCADE
);
INSERT INTO "image_facts" VALUES(1,'{"a": 1}',NULL);
CREATE TABLE "images" (
    row_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    dataset_id VARCHAR REFERENCES datasets (id) ON DELETE CASCADE,
    missing_from VARCHAR REFERENCES datasets (id) ON DELETE CASCADE,
    position INTEGER,
    image_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    shown_path VARCHAR NOT NULL,
    label_before VARCHAR,
    label VARCHAR,
    "group" VARCHAR,
    domain VARCHAR NOT NULL,
    predefined_split VARCHAR,
    "plan" JSON,
    about JSON,
    problem VARCHAR,
    is_excluded BOOLEAN NOT NULL,
    excluded_by VARCHAR,
    pixel_hash VARCHAR,
    width_px INTEGER,
    height_px INTEGER,
    version VARCHAR NOT NULL,
    content VARCHAR,
    file_state VARCHAR
);
INSERT INTO "images" VALUES(1,'d',NULL,0,'0.png','/c/0.png','0.png',NULL,'a',NULL,'',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'1',NULL,NULL);
INSERT INTO "images" VALUES(2,'d',NULL,1,'1.png','/c/1.png','1.png',NULL,'a',NULL,'',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'1',NULL,NULL);
INSERT INTO "images" VALUES(3,'d',NULL,2,'2.png','/c/2.png','2.png',NULL,'a',NULL,'',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'1',NULL,NULL);
INSERT INTO "images" VALUES(5,NULL,'d',NULL,'x.png','/c/x.png','',NULL,'z',NULL,'',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'',NULL,NULL);
INSERT INTO "images" VALUES(6,NULL,'d',NULL,'','/c/y.png','','',NULL,NULL,'',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'',NULL,NULL);
INSERT INTO "images" VALUES(7,NULL,'d',NULL,'gone.png','','',NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'',NULL,NULL);
CREATE TABLE inspections (
	dataset_id VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	content JSON NOT NULL, 
	PRIMARY KEY (dataset_id), 
	FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE
);
CREATE TABLE jobs (
	id VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	dataset_id VARCHAR, 
	dataset_name VARCHAR NOT NULL, 
	classifier_id VARCHAR, 
	repeats_run VARCHAR, 
	study_id VARCHAR, 
	folder VARCHAR NOT NULL, 
	command JSON NOT NULL, 
	choices JSON NOT NULL, 
	state VARCHAR NOT NULL, 
	queued FLOAT, 
	launched FLOAT, 
	pid INTEGER, 
	process_started FLOAT, 
	stop_requested FLOAT, 
	created VARCHAR NOT NULL, 
	made_by VARCHAR DEFAULT '' NOT NULL, image_keys VARCHAR, key VARCHAR, 
	PRIMARY KEY (id)
);
CREATE TABLE label_changes (
	id INTEGER NOT NULL, 
	dataset_id VARCHAR NOT NULL, 
	made VARCHAR NOT NULL, 
	is_undone BOOLEAN NOT NULL, 
	label VARCHAR, 
	made_by VARCHAR NOT NULL, 
	job_id VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE
);
INSERT INTO "label_changes" VALUES(1,'d','m',0,'a','me',NULL);
CREATE TABLE readings (dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE, row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE, made_by VARCHAR NOT NULL, label VARCHAR NOT NULL, made VARCHAR NOT NULL, PRIMARY KEY (dataset_id, row_id, made_by)) WITHOUT ROWID;
INSERT INTO "readings" VALUES('d',1,'eva','b','m');
CREATE TABLE reserved_images (dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE, row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE, PRIMARY KEY (dataset_id, row_id)) WITHOUT ROWID;
INSERT INTO "reserved_images" VALUES('d',3);
CREATE TABLE result_tables (
    job_id VARCHAR NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    version VARCHAR NOT NULL,
    n_bytes INTEGER NOT NULL,
    n_rows INTEGER NOT NULL,
    classes JSON NOT NULL,
    columns JSON NOT NULL
);
CREATE TABLE results (
    job_id VARCHAR NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_id INTEGER NOT NULL,
    first_row INTEGER,
    image INTEGER REFERENCES images (row_id) ON DELETE SET NULL,
    image_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    file VARCHAR,
    "plan" VARCHAR NOT NULL,
    "group" VARCHAR,
    label VARCHAR,
    predicted VARCHAR,
    decision VARCHAR NOT NULL,
    probability FLOAT,
    probabilities VARCHAR NOT NULL,
    reason VARCHAR,
    warning VARCHAR,
    ood_score FLOAT,
    prediction_set VARCHAR,
    about VARCHAR,
    PRIMARY KEY (job_id, row_id)
) WITHOUT ROWID;
CREATE TABLE second_reading_images (dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE, row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE, "position" INTEGER, label VARCHAR NOT NULL, made VARCHAR, made_by VARCHAR, PRIMARY KEY (dataset_id, row_id)) WITHOUT ROWID;
INSERT INTO "second_reading_images" VALUES('d',1,0,'a',NULL,NULL);
CREATE TABLE spot_check_images (
	job_id VARCHAR NOT NULL, 
	row_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	label VARCHAR, 
	is_excluded BOOLEAN DEFAULT '0' NOT NULL, 
	made VARCHAR, 
	made_by VARCHAR, 
	PRIMARY KEY (job_id, row_id), 
	FOREIGN KEY(job_id) REFERENCES spot_checks (job_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE spot_checks (
	job_id VARCHAR NOT NULL, 
	n INTEGER NOT NULL, 
	sampling JSON NOT NULL, 
	created VARCHAR NOT NULL, 
	PRIMARY KEY (job_id), 
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE suggested_images (dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE, row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE, "rank" INTEGER NOT NULL, score FLOAT NOT NULL, reason VARCHAR NOT NULL, PRIMARY KEY (dataset_id, row_id)) WITHOUT ROWID;
INSERT INTO "suggested_images" VALUES('d',1,1,0.5,'r');
CREATE TABLE uploads (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	is_labeled BOOLEAN NOT NULL, 
	n_files INTEGER NOT NULL, 
	n_bytes INTEGER NOT NULL, 
	has_folders BOOLEAN NOT NULL, 
	max_files INTEGER NOT NULL, 
	max_bytes INTEGER NOT NULL, 
	dataset_id VARCHAR, 
	created VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX ix_label_changes_dataset_id ON label_changes (dataset_id);
CREATE INDEX ix_images_missing_from ON "images" (missing_from);
CREATE UNIQUE INDEX images_by_position ON images (dataset_id, "position");
CREATE INDEX images_by_id ON images (dataset_id, image_id);
CREATE INDEX images_by_label ON images (dataset_id, label, "position");
CREATE INDEX images_by_group ON images (dataset_id, "group", "position");
CREATE INDEX images_by_pixels ON images (dataset_id, pixel_hash);
CREATE INDEX images_by_problem ON images (dataset_id, problem, "position");
CREATE INDEX ix_confirmed_labels_row_id ON confirmed_labels (row_id);
CREATE INDEX ix_reserved_images_row_id ON reserved_images (row_id);
CREATE INDEX ix_suggested_images_row_id ON suggested_images (row_id);
CREATE INDEX ix_second_reading_images_row_id ON second_reading_images (row_id);
CREATE INDEX ix_readings_row_id ON readings (row_id);
CREATE INDEX ix_adjudications_row_id ON adjudications (row_id);
CREATE INDEX ix_changed_labels_row_id ON changed_labels (row_id);
CREATE INDEX ix_results_image ON results (image);
CREATE INDEX results_by_probability ON results (job_id, probability);
CREATE INDEX results_by_decision ON results (job_id, decision, probability);
CREATE INDEX results_by_cell ON results (job_id, label, predicted, probability);
CREATE INDEX results_by_first_row ON results (job_id, first_row) WHERE first_row IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('images',7);
COMMIT;
