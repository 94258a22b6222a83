"""Readers of other programs' files. Each turns a file into plain data and numpy arrays, and runs nothing it holds.

pickles      what a pickle says, as a tree; nothing is imported or called
plain        such a tree into dicts, lists and arrays (NumPy, SciPy sparse, chumpy, OrderedDict, Namespace)
torch_file   PyTorch checkpoints, zip and legacy; numpy_file: .npy and .npz, pickled objects inside included
tf_checkpoint, tf_graph   TensorFlow 1 checkpoints and frozen graphs, over protobuf and crc32c
caffe        Caffe models and means; torch7: Torch7's .t7; matlab, hdf5; dlib_face; tables: text, OBJ, pictures

Every reader raises WeightsError, with the file's name and what was wrong or refused.
"""
