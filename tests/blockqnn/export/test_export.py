"""Exported networks, loaded again without the project, give the same logits."""

import ast
import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from safetensors.numpy import load_file

from blockqnn.children.checkpoint import load_checkpoint
from blockqnn.export.architecture import architecture
from blockqnn.export.flax_forms import FLAX
from blockqnn.export.forward import compute_logits
from blockqnn.export.source import source_code
from blockqnn.export.subject import Subject
from blockqnn.export.torch_forms import TORCH
from blockqnn.networks.child import ChildNetwork, child_network
from blockqnn.networks.cost import parameters as count_parameters
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import SPACES, design_of, design_plan, parse, write
from tests.blockqnn.trained import (
    ALL,
    CIFAR,
    IMAGE,
    NETWORKS,
    NOT_REPEATED,
    pixels,
    trained_weights,
    write_trained,
)
from tests.long_ones import marked
from tests.networks.spaces.rows import RowSpace
from tests.strategies import blocks

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
"""Between the lowerings of one function in float32; logits here are of the size of 1."""

PARTS = {
    "depthwise.kernel": "depthwise",
    "down.kernel": "kernel_down",
    "odd.kernel": "kernel_shifted",
}
"""Arrays of classes with several kernels, and what the plan calls them."""

BLOCK_PROJECT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("agents", "blockqnn", "flags", "networks"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, ".")
"""


@pytest.fixture(scope="module", params=marked(NETWORKS, ("pairs", "pairs on imagenet")))
def checkpoint(request, tmp_path_factory):
    """A checkpoint of each network."""
    code, layout = NETWORKS[request.param]
    path = tmp_path_factory.mktemp(request.param) / "step-00000020"
    return load_checkpoint(write_trained(path, layout, code, title=request.param))


def run_without_project(program, folder):
    # Neither strictness nor a path of the tests', but as quick a compiler as they have.
    environment = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": os.environ["XLA_FLAGS"]}
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", BLOCK_PROJECT + program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_code_of_the_page_gives_the_same_logits_without_the_project(blockqnn, checkpoint):
    assert blockqnn("export", checkpoint.path, "--to=out")[::2] == (0, "")
    folder = blockqnn.directory / "out"
    layout = checkpoint.metadata.child_layout
    images = pixels(layout)
    np.save(folder / "images.npy", images)
    # No JPEG, so that the pixels are those of the network; Pillow looks at the contents.
    mode = {1: "L", 3: "RGB"}[layout.channels]
    Image.frombytes(mode, images.shape[2:0:-1], images[0].tobytes()).save(
        folder / "photo.jpg", format="png"
    )
    # What the page says, on other images than zeros.
    programs = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    if checkpoint.metadata.code in NOT_REPEATED:
        programs.insert(2, "")
    assert len(programs) == 5
    if checkpoint.metadata.title != "cifar":
        # Each operation is compiled once more for each of these; once they are run is enough.
        for number in (1, 2, 3):
            programs[number] = "logits = np.zeros(0)"
    text = "\n".join(
        re.sub(r"np\.zeros\(.*, np\.uint8\)", 'np.load("images.npy")', program)
        + f'\nnp.save("logits{number}.npy", logits)' * (number != 2)
        for number, program in enumerate(programs)
    )
    text = "import numpy as np\n" + text
    text += '\nnp.save("first.npy", forward.call(pixels[:1]))'
    text += "\nassert forward.platforms == ('cpu', 'cuda', 'rocm', 'tpu')"
    text += "\nassert not {'agents', 'blockqnn', 'flags', 'networks'} & set(sys.modules)"
    printed = run_without_project(text, folder)
    wanted = checkpoint.network()(checkpoint.normalised(images))
    assert np.ptp(wanted) > 1
    whole = checkpoint.metadata.title == "cifar"
    for number, expected in ((0, wanted[:1]), *((3, wanted),) * whole, (4, wanted)):
        found = np.load(folder / f"logits{number}.npy")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, **TOLERANCE)
    assert np.load(folder / "logits1.npy").shape == ((2, 7) if whole else (0,))
    names, shares = zip(*(line.split(": ") for line in printed.splitlines()), strict=True)
    assert list(names) == checkpoint.metadata.class_names
    assert sum(float(share.rstrip("%")) for share in shares) == pytest.approx(100, abs=0.5)
    np.testing.assert_allclose(np.load(folder / "first.npy"), wanted[:1], **TOLERANCE)


NASBENCH = {"kind": "nasbench201", "filters": (2, 3, 4), "repeats": 1}


def test_what_nobody_reads_is_neither_written_nor_counted(blockqnn):
    # The convolutions from and to node 1, which nothing but `none` reads.
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    flags = ("--layout=nasbench201", "--filters=2,3,4", "--repeats=1", "--framework=torch")
    assert blockqnn("export", cell, *flags, "--to=out")[0] == 0
    weights = load_file(blockqnn.directory / "out" / "weights.safetensors")
    trained = sum(w.size for name, w in weights.items() if name.endswith(("weight", "bias")))
    facts = json.loads((blockqnn.directory / "out" / "network.json").read_text())
    counted = count_parameters(design_plan(design_of(parse(cell)), Layout(**NASBENCH)))
    assert facts["parameters"] == trained < counted
    page = (blockqnn.directory / "out" / "README.md").read_text()
    assert f"of {trained:,} parameters ({counted:,} with layers that nothing reads" in page


def test_code_layout_and_weights_build_the_same_network_again(blockqnn, checkpoint):
    assert blockqnn("export", checkpoint.path.parent / checkpoint.path.name, "--to=out")[0] == 0
    facts = json.loads((blockqnn.directory / "out" / "network.json").read_text())
    layout = Layout(**facts["layout"] | {"filters": tuple(facts["layout"]["filters"])})
    assert layout == checkpoint.metadata.child_layout
    code = parse(facts["code"])
    assert write(code) == checkpoint.metadata.code
    assert facts["hash"] == design_of(code).hash
    plan = design_plan(design_of(code), layout)
    assert [layer["name"] for layer in facts["layers"]] == [layer.name for layer in plan]
    assert [tuple(layer["shape"]) for layer in facts["layers"]] == [layer.shape for layer in plan]
    assert facts["parameters"] == count_parameters(plan)
    weights = load_file(blockqnn.directory / "out" / "weights.safetensors")
    network = child_network(code, layout)
    arrays, running = [], []
    for layer in facts["layers"]:
        start = f"{layer['weights']}."
        own = {
            PARTS.get(name.removeprefix(start), name.rpartition(".")[2]): value
            for name, value in weights.items()
            if name.startswith(start)
        }
        running.append(
            {"mean": own.pop("mean"), "variance": own.pop("var")} if "var" in own else {}
        )
        arrays.append(own)
    network.set_weights(arrays, running)
    network.eval()
    mean, deviation = np.float32(facts["mean"]), np.float32(facts["deviation"])
    images = pixels(layout)
    logits = network((images.astype(np.float32) - mean) / deviation)
    wanted = checkpoint.network()(checkpoint.normalised(images))
    assert np.array_equal(logits, wanted)
    assert facts["trained"] is True
    assert facts["training"]["last_epoch"] == {"epoch": 2, "loss": None}
    assert facts["class_names"] == checkpoint.metadata.class_names


def test_a_training_directory_means_its_newest_checkpoint(blockqnn):
    folder = blockqnn.directory / "training" / "checkpoints"
    write_trained(folder / "step-00000010", CIFAR, title="older")
    write_trained(folder / "step-00000020", CIFAR, title="newer")
    status, out, _ = blockqnn("export", "training", "--to=out")
    assert status == 0
    assert out.startswith("newer: [(1,1,3,0,0)")
    assert "Trained for 2 epochs" in out


def test_a_training_on_a_folder_of_images_is_handed_over_with_its_classes(blockqnn):
    random = np.random.default_rng(0)
    for split, each in (("train", 20), ("test", 3)):
        for label, name in enumerate(("bright", "dark")):
            folder = blockqnn.directory / "own" / split / name
            folder.mkdir(parents=True)
            for number in range(each):
                image = random.integers(100 - 100 * label, 256 - 100 * label, (8, 8, 3), np.uint8)
                Image.fromarray(image).save(folder / f"{number}.png")
    status, out, err = blockqnn(
        "train",
        "residual",
        "--preset=train_digits",
        "--dataset=folder:own",
        "--epochs=2",
        "--batch_size=10",
        "--filters=2,2",
        "--repeats=1",
        "--out_dir=trained",
    )
    assert (status, err) == (0, ""), out
    assert blockqnn("export", "trained", "--to=out")[::2] == (0, "")
    module = imported((blockqnn.directory / "out" / "network.py").read_text(), blockqnn.directory)
    assert module.CLASS_NAMES == ("bright", "dark")
    facts = json.loads((blockqnn.directory / "out" / "network.json").read_text())
    assert facts["training"]["data"]["source"]["dataset"] == "folder:own"
    trained = load_checkpoint(blockqnn.directory / "trained")
    images = pixels(trained.metadata.child_layout)
    found = module.load("out/weights.safetensors")(module.normalise(images))
    wanted = trained.network()(trained.normalised(images))
    np.testing.assert_allclose(found, wanted, **TOLERANCE)


def imported(source, folder):
    path = folder / "network_under_test.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("network_under_test", path)
    module = importlib.util.module_from_spec(spec)
    # Annotations of a dataclass-like module are looked up there.
    spec.loader.exec_module(module)
    return module


def source_of(subject, dialect=FLAX):
    return source_code(subject, architecture(subject.code, subject.layout), dialect)


def subject(code, layout=CIFAR, **changes):
    plan = design_plan(design_of(code), layout)
    parameters, statistics = trained_weights(plan)
    fields = {
        "title": "t",
        "code": code,
        "layout": layout,
        "parameters": parameters,
        "statistics": statistics,
        "mean": (1.5, 2.5, 3.5),
        "deviation": (4.0, 5.0, 6.0),
        "class_names": (),
        "training": None,
        "seed": 0,
    }
    return Subject(**fields | changes)


def test_new_networks_of_the_source_start_as_those_of_the_project_and_can_be_trained(blockqnn):
    layout = Layout(filters=(16, 32), repeats=1, height=8, width=8)
    module = imported(source_of(subject(ALL, layout)), blockqnn.directory)
    network = module.Network(rngs=jax_rngs(0))
    kernel = np.asarray(network.stage2[0].conv2.conv.kernel[...])
    fan_in = np.prod(kernel.shape[:-1])
    assert kernel.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.1)
    before = np.asarray(network.stage1[0].conv1.norm.mean[...])
    assert (before == 0).all()
    logits = network(module.normalise(pixels(layout)))
    assert logits.shape == (7, 10)
    assert not (np.asarray(network.stage1[0].conv1.norm.mean[...]) == 0).any()
    assert module.MEAN == (1.5, 2.5, 3.5)
    assert module.DEVIATION == (4.0, 5.0, 6.0)
    assert (module.HEIGHT, module.WIDTH, module.CHANNELS) == (8, 8, 3)


def jax_rngs(seed):
    from flax import nnx

    return nnx.Rngs(seed)


def test_load_refuses_weights_of_another_network(blockqnn):
    write_trained(blockqnn.directory / "a", CIFAR)
    write_trained(blockqnn.directory / "b", IMAGE)
    for name in "ab":
        assert blockqnn("export", name, f"--to=out_{name}")[0] == 0
    source = (blockqnn.directory / "out_a" / "network.py").read_text(encoding="utf-8")
    module = imported(source, blockqnn.directory)
    module.load("out_a/weights.safetensors")
    with pytest.raises((KeyError, ValueError)):
        module.load("out_b/weights.safetensors")


@settings(max_examples=6)
@given(blocks(min_layers=2, max_layers=5))
def test_the_forward_pass_of_any_block_is_that_of_the_child_network(code):
    layout = Layout(filters=(2, 3), repeats=1, height=5, width=4, channels=3, classes=3)
    plan = design_plan(design_of(code), layout)
    parameters, statistics = trained_weights(plan)
    network = ChildNetwork(plan)
    network.set_weights(parameters, statistics)
    network.eval()
    images = np.random.default_rng(0).normal(size=(3, *layout.image_shape)).astype(np.float32)
    found = jax.jit(lambda x: compute_logits(plan, parameters, statistics, x))(images)
    np.testing.assert_allclose(found, network(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dialect", [FLAX, TORCH], ids=["flax", "torch"])
@settings(max_examples=40)
@given(code=blocks(max_layers=23))
def test_the_source_of_any_block_is_python_that_fits_a_screen(dialect, code):
    layout = Layout(filters=(2, 3), repeats=2)
    about = Subject("t", code, layout, [], [], (0.1, 0.2, 0.3), (1.0, 1.0, 1.0), (), None, 0)
    source = source_of(about, dialect)
    tree = ast.parse(source)
    long = [line for line in source.splitlines() if len(line) > 88]
    # A very dense block needs many columns for its drawing, and many terms for a width.
    assert not [line for line in long if not set(line) & set("│─") and "filters" not in line]
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    block = classes["Block"]
    made = {
        node.targets[0].attr
        for node in ast.walk(block)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute)
    }
    convolutions = sum(layer.type == 1 for layer in design_of(code).layers)
    assert len(made - {"out_channels"}) == convolutions
    # The network names the block once for each stage, however often it is repeated.
    assert len(ast.unparse(classes["Network"]).splitlines()) < 26
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {getattr(node, "module", None) or node.names[0].name for node in imports}
    wanted = {"__future__", "os", "PIL"} | (
        {"jax", "jax.numpy", "numpy", "flax", "safetensors.numpy"}
        if dialect is FLAX
        else {"torch", "torch.nn", "safetensors.torch"}
    )
    assert modules == wanted


def test_names_of_classes_are_text_whatever_is_in_them():
    names = ('"""', "\nimport os\n", "{x}", "\\", "ä\u2028", "')")
    source = source_of(subject(ALL, class_names=names))
    tree = ast.parse(source)
    found = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and node.target.id == "CLASS_NAMES"
    ]
    assert found == [names]


def test_a_new_space_has_a_class_of_its_design(monkeypatch):
    space = RowSpace()
    monkeypatch.setitem(SPACES, space.name, space)
    row = space.parse("<3,1,5>")
    text = source_of(subject(row, CIFAR))
    assert "class Row(nnx.Module):" in text
    assert "self.stage2 = stage(self.stage1[-1].out_channels, filters=8, rows=1" in text
    # Names that do not tell rows apart leave the network's layers to themselves.
    monkeypatch.setattr(RowSpace, "plan", one_word_less(RowSpace.plan))
    text = source_of(subject(row, CIFAR))
    assert "class Row(nnx.Module):" in text
    assert "self.stage2_conv1 = ReluConvNorm(4, 8, 3" in text


def one_word_less(plan):
    def shortened(self, design, layout):
        return tuple(
            dataclasses.replace(layer, name=layer.name.replace("/row1", ""))
            for layer in plan(self, design, layout)
        )

    return shortened


@pytest.mark.parametrize(
    ("source", "colour"),
    [
        ({"background": [0, 10, 255]}, "(0, 10, 255, 255)"),
        ({"background": [255, 255, 255]}, '"white"'),
        ({"background": ["a"]}, '"white"'),
        ({}, '"white"'),
    ],
)
def test_transparent_pixels_get_the_background_of_the_training(source, colour):
    text = source_of(subject(ALL, training={"data": {"source": source}}))
    assert f'Image.new("RGBA", image.size, {colour})' in text
