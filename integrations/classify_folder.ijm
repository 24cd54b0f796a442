// ImageJ and Fiji: classify the images of a folder with a classifier that coverslip exported.
//
// coverslip export runs/first --to onnx --out blood_cells_onnx
// pip install numpy pillow onnxruntime
//
// Plugins > Macros > Run... asks for the Python program, the folder of the export and the folder of images. From a terminal,
// pass them separated by |:  imagej -batch classify_folder.ijm "python3|/data/blood_cells_onnx|/data/new"
// The table predictions.csv is in the folder of images, and is shown.

arguments = split(getArgument(), "|");
if (arguments.length == 3) {
    python = arguments[0]; model = arguments[1]; images = arguments[2];
} else {
    python = getString("Python program", "python3");
    model = getDirectory("Folder of the export");
    images = getDirectory("Folder of images");
}
if (!endsWith(model, File.separator)) model = model + File.separator;
if (!endsWith(images, File.separator)) images = images + File.separator;

// The enclosed script classifies all images of the folder that it can read.
code = "import glob, runpy, sys; model, images = sys.argv[1:]; sys.stderr = sys.stdout;"
    + "kinds = ('png', 'jpg', 'jpeg', 'tif', 'tiff', 'bmp');"
    + "files = [f for f in sorted(glob.glob(glob.escape(images) + '*')) if f.lower().rpartition('.')[2] in kinds];"
    + "sys.argv = ['classify.py', model + 'model.onnx', *files];"
    + "runpy.run_path(model + 'classify.py', run_name='__main__'); print('complete')";
table = exec(python, "-c", code, model, images);
table = table.trim;
if (!endsWith(table, "complete")) exit("Not all images could be classified:\n" + table);
table = substring(table, 0, lengthOf(table) - lengthOf("complete"));
File.saveString(table, images + "predictions.csv");
if (arguments.length == 3) print(table); else open(images + "predictions.csv");
