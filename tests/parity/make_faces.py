"""Writes data/faces.npz: what MediaPipe's own runtime computes for the cases. See data/README.md for how to run it."""

from pathlib import Path

import mediapipe
import numpy as np
from face_cases import SIZES, inputs
from google.protobuf import text_format
from mediapipe.calculators.core import split_vector_calculator_pb2  # noqa: F401 - makes its options known to the parser
from mediapipe.calculators.tensor import (  # noqa: F401
    image_to_tensor_calculator_pb2,
    inference_calculator_pb2,
    tensors_to_floats_calculator_pb2,
)
from mediapipe.calculators.tflite import tflite_custom_op_resolver_calculator_pb2  # noqa: F401
from mediapipe.framework import calculator_pb2
from mediapipe.python import _framework_bindings as bindings
from mediapipe.python import packet_creator, packet_getter

MODELS = {
    "short_range": ("face_detection/face_detection_short_range.tflite", -1, ["boxes", "scores"]),
    "full_range": ("face_detection/face_detection_full_range_sparse.tflite", -1, ["boxes", "scores"]),
    "attention_mesh": (
        "face_landmark/face_landmark_with_attention.tflite",
        0,
        ["mesh", "lips", "left_eye", "right_eye", "left_iris", "right_iris", "score"],
    ),
}
KEPT = 64
"""Boxes are kept for the anchors of the best scores only; the scores of all."""


def graph(network: str) -> str:
    """MediaPipe graph: image -> tensor -> the model on its XNNPACK runtime -> a list of floats per output."""
    model, low, outputs = MODELS[network]
    path = Path(mediapipe.__file__).parent / "modules" / model
    size = SIZES[network]
    ranges = " ".join(f"ranges {{ begin: {i} end: {i + 1} }}" for i in range(len(outputs)))
    names = " ".join(f'output_stream: "tensor_{o}"' for o in outputs)
    text = f"""
    input_stream: "image"
    node {{
      calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:ops"
      options {{ [mediapipe.TfLiteCustomOpResolverCalculatorOptions.ext] {{ use_gpu: false }} }}
    }}
    node {{
      calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" output_stream: "TENSORS:input"
      options {{ [mediapipe.ImageToTensorCalculatorOptions.ext] {{
        output_tensor_width: {size} output_tensor_height: {size} keep_aspect_ratio: false
        output_tensor_float_range {{ min: {low} max: 1 }} }} }}
    }}
    node {{
      calculator: "InferenceCalculator" input_side_packet: "OP_RESOLVER:ops"
      input_stream: "TENSORS:input" output_stream: "TENSORS:outputs"
      options {{ [mediapipe.InferenceCalculatorOptions.ext] {{
        model_path: "{path}" delegate {{ xnnpack {{ num_threads: 1 }} }} }} }}
    }}
    node {{
      calculator: "SplitTensorVectorCalculator" input_stream: "outputs" {names}
      options {{ [mediapipe.SplitVectorCalculatorOptions.ext] {{ {ranges} }} }}
    }}
    """
    for o in outputs:
        text += f"""
        node {{
          calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:tensor_{o}" output_stream: "FLOATS:{o}"
        }}
        output_stream: "{o}"
        """
    return text


def run(network: str, image: np.ndarray) -> dict[str, np.ndarray]:
    """Raw outputs by name, flat float32."""
    config = text_format.Parse(graph(network), calculator_pb2.CalculatorGraphConfig())
    running = bindings.calculator_graph.CalculatorGraph(graph_config=config)
    got: dict[str, np.ndarray] = {}

    def keep(name: str, packet: object) -> None:
        got[name] = np.array(packet_getter.get_float_list(packet), np.float32)

    for o in MODELS[network][2]:
        running.observe_output_stream(o, keep)
    running.start_run()
    frame = packet_creator.create_image_frame(image_format=bindings.image_frame.ImageFormat.SRGB, data=image)
    running.add_packet_to_input_stream("image", frame.at(0))
    running.close_all_packet_sources()
    running.wait_until_done()
    return got


def main() -> None:
    """Every case of every network."""
    arrays: dict[str, np.ndarray] = {}
    for network in MODELS:
        for case, image in inputs(network):
            got = run(network, image)
            if "boxes" in got:
                best = np.sort(np.argsort(-got["scores"], kind="stable")[:KEPT])
                got["boxes"] = got["boxes"].reshape(len(got["scores"]), -1)[best]
                got["anchors"] = best.astype(np.int32)
            arrays |= {f"{network}/{case}/{name}": values for name, values in got.items()}
    np.savez_compressed(Path(__file__).parent / "data" / "faces.npz", **arrays)


if __name__ == "__main__":
    main()
