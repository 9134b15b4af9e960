# SPDX-License-Identifier: GPL-2.0-only
"""Compares what two images say, from "iommu-handover show --json".

Addresses of page tables, generations, releases and offsets change with every
kexec. What must not is what user space sees: objects, their IDs and what they
are attached to, and every map with the memory and the pages behind it.
"""


def ids_of(image):
    """Every object with its ID and its relations, comparable."""
    devices = {item["index"]: item["address"] for item in image["devices"]}
    out = {"memories": [(item["session"], item["token"], item["size"])
                        for item in image["memories"]]}
    for context in image["contexts"]:
        out[context["session"], context["token"]] = {
            "ioas": [item["id"] for item in context["ioas"]],
            "hwpts": [(item["id"], item["ioas"], item["dev_id"], item["auto"],
                       item["flags"]) for item in context["hwpts"]],
            "devices": [(item["id"], devices[item["device"]], item["hwpt"])
                        for item in context["devices"]],
        }
    return out


def maps_of(image):
    """Every IOAS with its settings and maps, comparable."""
    memories = {item["index"]: (item["session"], item["token"])
                for item in image["memories"]}
    out = {}
    for context in image["contexts"]:
        for ioas in context["ioas"]:
            maps = []
            for item in ioas["maps"]:
                entry = dict(item)
                entry["memory"] = memories[entry["memory"]]
                maps.append(entry)
            out[context["session"], context["token"], ioas["id"]] = {
                **ioas, "maps": maps}
        out[context["session"], context["token"]] = context["rlimit_mode"]
    return out


def first_difference(old, new, path=""):
    """Where two comparable values first differ, or None."""
    if type(old) is not type(new):
        return f"{path}: {old!r}, then {new!r}"
    if isinstance(old, dict):
        for key in sorted(set(old) | set(new), key=str):
            here = f"{path}/{key}" if path else str(key)
            if key not in old:
                return f"{here}: only in the later image"
            if key not in new:
                return f"{here}: only in the earlier image"
            found = first_difference(old[key], new[key], here)
            if found:
                return found
        return None
    if isinstance(old, (list, tuple)):
        for index, (left, right) in enumerate(zip(old, new)):
            found = first_difference(left, right, f"{path}[{index}]")
            if found:
                return found
        if len(old) != len(new):
            return f"{path}: {len(old)} entries, then {len(new)}"
        return None
    return None if old == new else f"{path}: {old!r}, then {new!r}"
