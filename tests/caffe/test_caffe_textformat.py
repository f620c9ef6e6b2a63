"""The text parser: the same messages as protobuf's own, and faults with their place."""

from __future__ import annotations

import random
from typing import Any

import pytest
from caffe_texts import read, reference_files
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe.document import Document
from neuralpower.caffe.textformat import parse
from neuralpower.core.errors import InputError


def parsed(text: str, *, strict: bool = False) -> tuple[Any, Document]:
    message = pb.NetParameter()
    return message, parse(text, message, path="net.prototxt", strict=strict)


def protobuf(text: str) -> pb.NetParameter | None:
    """protobuf's reading, None when it refuses."""
    try:
        return text_format.Parse(text, pb.NetParameter())
    except (text_format.ParseError, UnicodeError, ValueError):
        return None


# ------------------------------------------------------------------------- equal to protobuf's


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    if kind == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if kind == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type is not None
        return st.sampled_from([value.number for value in field.enum_type.values])
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return st.floats(width=32)
    low, high = {
        FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
        FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
        FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    }[kind]
    return st.integers(low, high)


@st.composite
def messages(draw: st.DrawFn, descriptor: Any = pb.NetParameter.DESCRIPTOR) -> Any:
    message = getattr(pb, descriptor.name)()
    fields = draw(st.lists(st.sampled_from(list(descriptor.fields)), max_size=5, unique_by=id))
    fields += [field for field in descriptor.fields if field.is_required]
    for field in {field.name: field for field in fields}.values():
        size = draw(st.integers(0, 3)) if field.is_repeated else 1
        for _ in range(size):
            if field.message_type is not None:
                child = draw(messages(field.message_type))
                target = getattr(message, field.name)
                if field.is_repeated:
                    target.add().CopyFrom(child)
                else:
                    target.CopyFrom(child)
                    target.SetInParent()
            elif field.is_repeated:
                getattr(message, field.name).append(draw(scalar(field)))
            else:
                setattr(message, field.name, draw(scalar(field)))
    return message


STYLES: list[dict[str, Any]] = [
    {},
    {"as_one_line": True},
    {"pointy_brackets": True},
    {"use_short_repeated_primitives": True},
    {"force_colon": True},
    {"as_utf8": True, "as_one_line": True, "use_short_repeated_primitives": True},
]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages(), st.sampled_from(STYLES))
def test_reads_what_protobuf_writes(message: Any, style: dict[str, Any]) -> None:
    text = text_format.MessageToString(message, **style)
    # Compared as bytes: NaN is not equal to itself.
    wanted = text_format.Parse(text, pb.NetParameter()).SerializeToString(deterministic=True)
    assert parsed(text)[0].SerializeToString(deterministic=True) == wanted


_WORDS = """layer layers name type input_dim input state level phase dim shape input_shape param
    force_backward lr_mult loss_weight nope { } < > : : : [ ] , ; #c - "a" 'b' "\\x41\\n\\101" "\\""
    1 -1 0x1F 017 1.5 .5f 1e3 inf -inf nan true f True TEST CONVOLUTION 4294967296 08 1F"""
PIECES = _WORDS.split()


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_agrees_on_any_pieces(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    wanted = protobuf(text)
    try:
        got = parsed(text, strict=True)[0]
    except InputError:
        got = None
    if wanted is None:
        # The one form that protobuf's C++ parser reads and its Python parser does not.
        assert got is None or "-\n" in text or "[" in text
    else:
        assert got is not None, text
        assert got.SerializeToString() == wanted.SerializeToString()


def test_agrees_on_damaged_networks() -> None:
    """Real texts with a character changed, dropped or doubled."""
    generator = random.Random(1)
    texts = [
        'layer { name: "a" type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 0x1 } }',
        'input: "a" input_dim: [1, 3, 8, 8]; state < phase: TEST, level: -1 stage: "x" >',
        'layers { type: CONVOLUTION blobs_lr: 1. blobs_lr: 2e0 param: "w" bottom: "x" \'y\' }',
    ]
    for _ in range(4000):
        text = list(generator.choice(texts))
        for _ in range(generator.randint(1, 2)):
            at = generator.randrange(len(text))
            text[at : at + generator.randint(0, 1)] = generator.choice(
                ["", " ", '"', "'", "{", "}", "<", ">", ":", ",", ";", "#", "1", "a", "\n", "."]
            )
        damaged = "".join(text)
        wanted = protobuf(damaged)
        try:
            got = parsed(damaged, strict=True)[0]
        except InputError:
            got = None
        if wanted is not None:
            assert got == wanted, damaged
        else:
            assert got is None or "- " in damaged, damaged


def test_agrees_on_the_reference() -> None:
    agreed = 0
    for path in reference_files():
        text = read(path)
        wanted = protobuf(text)
        if wanted is not None:
            assert parsed(text)[0] == wanted, path.name
            agreed += 1
    assert agreed > 300


# ----------------------------------------------------------------------------------- the forms


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('name: "a"', "a"),
        ("name: 'a'", "a"),
        ('name:"a" \'b\'\n# between\n"c"', "abc"),
        ('name: "a\\tb\\"c\\x41\\101\\u00e9"', 'a\tb"cAA\u00e9'),
        ('name: "\\303\\251"', "\u00e9"),
        ('name: "caf\udce9"', "caf\u00e9"),
        ('name: "\\377"', "\u00ff"),
        ('name: "\u4e2d"', "\u4e2d"),
        ('name: "a",', "a"),
        ('name: "a" ;', "a"),
        ('# name: "b"\nname: "a" # "c"', "a"),
    ],
)
def test_strings(text: str, name: str) -> None:
    assert parsed(text)[0].name == name


def test_delimiters_colons_and_lists() -> None:
    text = """layer: < name: "c"; convolution_param { kernel_size: [3, 5] pad: [] } >,
              input_shape: [ {dim: 1}, <dim: [2, 0x10, 010]> ]"""
    message = parsed(text)[0]
    assert list(message.layer[0].convolution_param.kernel_size) == [3, 5]
    assert [list(shape.dim) for shape in message.input_shape] == [[1], [2, 16, 8]]


def test_numbers_and_words() -> None:
    text = """layer { loss_weight: [1, -2.5, .5f, 1e-3F, inf, -Infinity, - 4] include { phase: 0 }
              propagate_down: true propagate_down: 0 propagate_down: t propagate_down: False }"""
    layer = parsed(text)[0].layer[0]
    wanted = [1, -2.5, 0.5, 0.001, float("inf"), float("-inf"), -4]
    assert list(layer.loss_weight) == pytest.approx(wanted)
    assert list(layer.propagate_down) == [True, False, True, False]
    assert layer.include[0].phase == pb.TRAIN
    assert layer.include[0].HasField("phase")


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ('name "a"', 1, 6, "':'"),
        ("layer {\n  name: }", 2, 9, "quoted string"),
        ("layer {\n  name: 'a'\n", 1, 7, "before this message is closed"),
        ("layer { >", 1, 9, "'}' was expected"),
        ("}", 1, 1, "closes nothing"),
        ("name: 'a' name: 'b'", 1, 11, "given twice"),
        ("state {} state {}", 1, 10, "given twice"),
        ("\n\n  input_dim: 1.5", 3, 14, "whole number"),
        ("input_dim: 2147483648", 1, 12, "whole number"),
        ("layer { convolution_param { num_output: -1 } }", 1, 41, "whole number"),
        ("force_backward: yes", 1, 17, "true or false"),
        ("layer: 3", 1, 8, "'{' was expected"),
        ("input_dim { }", 1, 11, "':' was expected"),
        ('name: "a', 1, 7, "not closed"),
        ('name: "a\nb"', 1, 7, "not closed"),
        ('name: "\\q"', 1, 7, "escape"),
        ("input_dim: [1, 2", 1, 17, "',' or ']'"),
        ("[foo.bar]: 1", 1, 1, "extension"),
        ("name: 'a'\n\0", 2, 1, "field name"),
        ("# a \0\nname: 'a'", 1, 5, "field name"),
        ("layer { clip_param { min: 1 } }", 1, 1, "max"),
        ("input_dim: 08", 1, 12, "whole number"),
        ("layer { loss_weight: 0x10 }", 1, 22, "number"),
        ("layer { loss_weight: 1_0 }", 1, 22, "number"),
    ],
)
def test_faults_have_their_place(text: str, line: int, column: int, word: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text)
    error = caught.value
    assert (error.path, error.line, error.column) == ("net.prototxt", line, column)
    assert word in str(error)
    assert "\n" not in str(error)


# ---------------------------------------------------------------------------- forks and lenience


def test_unknown_fields_are_noted_once_with_their_count() -> None:
    text = """layer { name: "a" foo: 1 foo: "x" 'y' bar { name: "b" baz < > } qux: [ {a: 1}, 2 ] }
              layer { foo: -inf name: "c" }"""
    message, document = parsed(text)
    assert [layer.name for layer in message.layer] == ["a", "c"]
    assert document.notes == [
        "unknown field foo of LayerParameter skipped (3 times)",
        "unknown field bar of LayerParameter skipped",
        "unknown field qux of LayerParameter skipped",
    ]
    with pytest.raises(InputError, match="no field 'foo' in BVLC Caffe"):
        parsed(text, strict=True)


def test_fields_of_forks_are_read_but_not_in_strict_mode() -> None:
    text = "layer { pooling_param { ceil_mode: false } roi_pooling_param { pooled_h: 7 } }"
    layer = parsed(text)[0].layer[0]
    assert not layer.pooling_param.ceil_mode
    assert layer.roi_pooling_param.pooled_h == 7
    with pytest.raises(InputError, match=":1:25: PoolingParameter has no field 'ceil_mode'"):
        parsed(text, strict=True)


def test_unknown_enum_values_and_bare_types() -> None:
    message, document = parsed("layers { type: IMAGE_SEG_DATA } layer { type: RELU }")
    assert message.layers[0].fork_type == "IMAGE_SEG_DATA"
    assert message.layer[0].type == "RELU"
    assert document.notes == ["type RELU should stand in quotes"]


def test_notes_are_bounded() -> None:
    document = parsed(" ".join(f"f{index}: 1" for index in range(1000)))[1]
    assert len(document.notes) == 51
    assert document.notes[-1] == "950 more notes of this kind"


# ------------------------------------------------------------------------------------- hostility


@pytest.mark.parametrize(
    "text",
    [
        "a {" * 100_000,
        "a: " + "[" * 100_000,
        "layer { foo: " + "[ { a: " * 50_000,
        "layer {}" * 200_000,
        '"' * 100_000,
        'name: "' + "\\a" * 100_000,
        "layer { loss_weight: " + "1" * 100_000 + " }",
    ],
    ids=["messages", "lists", "both", "layers", "quotes", "open", "digits"],
)
def test_hostile_texts_end_in_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert len(str(caught.value)) < 300
