"""A PyTorch model as an exported program, which holds no code and takes any number of rows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from sinara.errors import UsageError
from sinara.names import shown
from sinara.serving.shipped.sinara_served import as_numbers

_FREE = "dynamic_shapes=({0: torch.export.Dim('rows')},)"
_ADVICE = f"Export it yourself, torch.export.export(model, (rows,), {_FREE}), and give the program"


def write_program(model: Any, sample: Any, path: Path) -> str:
    """Write a module or an exported program into a file, and leave it as it was.

    Args:
        model: A ``torch.nn.Module``, which is traced with the sample, or an exported program.
        sample: Rows as the model takes them.
        path: The file.

    Returns:
        The type of its numbers, as torch calls it: ``float32``.

    Raises:
        UsageError: If it cannot be exported.
    """
    import torch

    model = getattr(model, "_orig_mod", model)  # of torch.compile
    if isinstance(model, torch.jit.ScriptModule):
        raise UsageError(
            "TorchScript cannot be exported: give the module that it was made of, or write a "
            "service class that loads its file."
        )
    if not isinstance(model, torch.nn.Module | torch.export.ExportedProgram):
        raise UsageError(f"{shown(model)} of PyTorch is no module and no exported program.")
    try:
        rows = torch.tensor(as_numbers(sample))
    except (TypeError, ValueError) as error:
        raise UsageError(f"PyTorch takes numbers: {error}.") from error
    rows = rows.to(_wanted(model, rows))
    program = _exported(model, rows) if isinstance(model, torch.nn.Module) else model
    torch.export.save(program, str(path))
    return str(rows.dtype).removeprefix("torch.")


def _wanted(model: Any, rows: Any) -> Any:
    """Return the type of numbers that a model takes: floats as its weights are."""
    import torch

    if not isinstance(model, torch.nn.Module) and model.example_inputs:
        return model.example_inputs[0][0].dtype
    if not rows.is_floating_point():
        return rows.dtype
    kinds = (weight.dtype for weight in model.parameters() if weight.is_floating_point())
    return next(kinds, torch.float32)


def _exported(model: Any, rows: Any) -> Any:
    import torch

    modes = [(part, part.training) for part in model.modules()]
    example = rows if len(rows) > 1 else torch.cat([rows, rows])  # one row would be a constant
    free = ({0: torch.export.Dim("rows", min=1)},)
    try:
        if any(weight.device.type != "cpu" for weight in model.parameters()):
            model = copy.deepcopy(model).cpu()
        return torch.export.export(model.eval(), (example,), dynamic_shapes=free)
    except Exception as error:  # what torch cannot trace it tells in many classes
        lines = [line.strip(" -.") for line in str(error).splitlines() if line.strip()]
        more = lines[:2] if lines and "For more information" in lines[0] else lines[:1]
        why = ": ".join(line.partition("! For more")[0] for line in more) or type(error).__name__
        raise UsageError(
            f"PyTorch cannot export this model: {why}. {_ADVICE}, or write a service class."
        ) from error
    finally:
        for part, training in modes:
            part.training = training
