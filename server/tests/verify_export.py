#!/usr/bin/env python3
"""Verifies an export of the audit log. Written from docs/ledger.md alone, to show that the page is enough; nothing but Python.

    verify_export.py EXPORT [--key FILE] [--checkpoint FILE] [--witness VKEY ... [--quorum N]] [--archive SEGMENT ...]

Prints "integrity: ..." and "completeness: ...", and with witnesses "witnessed: ..."; ends with 0 unless something was altered,
is known to be missing, or was cosigned by too few witnesses.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import sys
import tarfile


class Broken(Exception):
    """What is wrong, in words."""


# Ed25519 (RFC 8032), verification only.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return i * j % P, k * m % P, j * k % P, i * m % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, message, signature):
    a, r = point_of(key), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return same(times(s, BASE), add(r, times(h, a)))


class Key:
    """A key of the log (type 1) or of a witness (type 4)."""

    def __init__(self, text, kind=1):
        name, ident, encoded = text.split("+", 2)
        data = base64.b64decode(encoded, validate=True)
        expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        if len(data) != 33 or data[0] != kind or bytes.fromhex(ident) != expected:
            raise Broken("this is no key of a log" if kind == 1 else "this is no key of a witness")
        self.text, self.name, self.ident, self.public = text, name, expected, data[1:]


def read_note(note):
    """The text of a note, and its signatures as (name, id, signature)."""
    text, separator, rest = note.rpartition("\n\n")
    if not separator or not rest.endswith("\n"):
        raise Broken("this is no signed note")
    signatures = []
    for line in rest[:-1].split("\n"):
        if not line.startswith("\u2014 ") or line.count(" ") != 2:
            raise Broken("this is no signed note")
        _, name, encoded = line.split(" ")
        data = base64.b64decode(encoded, validate=True)
        signatures.append((name, data[:4], data[4:]))
    return text + "\n", signatures


class Trust:
    def __init__(self, key):
        self.keys, self.name = [key], key.name

    def text_of(self, note):
        text, signatures = read_note(note)
        known = False
        for name, ident, signature in signatures:
            for key in self.keys:
                if (key.name, key.ident) == (name, ident):
                    if not is_signed(key.public, text.encode(), signature):
                        raise Broken("the signature does not fit")
                    known = True
        if not known:
            raise Broken("not signed by a key that is trusted")
        return text

    def introduce(self, note):
        lines = self.text_of(note).split("\n")
        if len(lines) != 4 or lines[0] != "rondo-audit-key" or lines[1] != self.name:
            raise Broken("this introduces no key of the log")
        key = Key(lines[2])
        if key.name != self.name or any(key.text == known.text for known in self.keys):
            raise Broken("this introduces a key of another log, or one that is known")
        self.keys.append(key)

    def checkpoint(self, note):
        lines = self.text_of(note).split("\n")
        if len(lines) < 4 or lines[0] != self.name or str(int(lines[1])) != lines[1]:
            raise Broken("this is no checkpoint of the log")
        return int(lines[1]), base64.b64decode(lines[2], validate=True)


def cosigned_at(witness, note):
    """When the witness has cosigned the note, in seconds since 1970; none if it has not, or not this."""
    text, signatures = read_note(note)
    for name, ident, signature in signatures:
        if (name, ident) == (witness.name, witness.ident):
            time = int.from_bytes(signature[:8], "big")
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
            if len(signature) == 72 and time < 2**63 and is_signed(witness.public, message, signature[8:]):
                return time
            return None
    return None


def trusts(trust, note):
    try:
        trust.checkpoint(note)
        return True
    except Broken:
        return False


def canonical(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        if value != int(value) or abs(value) > 2**53 - 1:
            raise Broken(f"the number {value} is not part of the format")
        return str(int(value))
    if isinstance(value, str):
        escapes = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
        return '"' + "".join(escapes.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
    return "{" + ",".join(f"{canonical(name)}:{canonical(inner)}" for name, inner in members) + "}"


def once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Broken("a member is named twice")
    return members


class Tree:
    """The roots of the whole subtrees from the left, each with its size."""

    def __init__(self):
        self.size, self.subtrees = 0, []

    def push(self, leaf):
        self.size += 1
        self.subtrees.append((1, leaf))
        while len(self.subtrees) > 1 and self.subtrees[-1][0] == self.subtrees[-2][0]:
            (size, right), (_, left) = self.subtrees.pop(), self.subtrees.pop()
            self.subtrees.append((2 * size, hashlib.sha256(b"\1" + left + right).digest()))

    def root(self):
        if not self.subtrees:
            return hashlib.sha256(b"").digest()
        root = self.subtrees[-1][1]
        for _, left in reversed(self.subtrees[:-1]):
            root = hashlib.sha256(b"\1" + left + root).digest()
        return root


def place_of(body, pointer):
    """What holds the value at a pointer, and under which name or number."""
    if not pointer.startswith("/"):
        raise Broken(f"{pointer} is no pointer")
    *path, last = [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]
    for token in path:
        if isinstance(body, list):
            body = body[int(token)] if token.isdigit() and int(token) < len(body) else None
        elif isinstance(body, dict):
            body = body.get(token)
        else:
            body = None
    return body, last


def is_vacant(body, pointer):
    parent, last = place_of(body, pointer)
    if isinstance(parent, dict):
        return parent.get(last) is None
    return isinstance(parent, list) and last.isdigit() and int(last) < len(parent) and parent[int(last)] is None


def check_personal(body, personal):
    """That what stands beside a body are values whose digests are in it, in places that it leaves to them."""
    digests = body.get("personal", {}) if body["v"] >= 2 else {}
    for pointer, shown in personal.items():
        if set(shown) != {"key", "value"}:
            raise Broken(f"entry {body['seq']}: the personal value at {pointer} is none")
        if pointer not in digests:
            raise Broken(f"entry {body['seq']}: a personal value was added at {pointer}")
        if not is_vacant(body, pointer):
            raise Broken(f"entry {body['seq']}: a personal value was added at {pointer}, where the body has something")
        key = bytes.fromhex(shown["key"])
        digest = hmac.new(key, canonical(shown["value"]).encode(), "sha256").hexdigest()
        if len(key) != 32 or shown["key"] != key.hex() or digest != digests[pointer]:
            raise Broken(f"entry {body['seq']}: the personal value at {pointer} was altered")


def members(line, *names):
    if set(line) != set(names):
        raise Broken(f"the line has other members than {', '.join(names)}")
    return [line[name] for name in names]


def verify(lines, given, kept):
    """Reads an export to its end: the entries, those of them that are archived as (segment, place, hash), how many entries a
    checkpoint from elsewhere covers, the last checkpoint. Raises Broken with the place in front."""
    tree, own, number, checkpoints, signed, vouched, archived = Tree(), None, 0, 0, None, None, []
    trust = Trust(given) if given else None
    elsewhere, begun, last = [], False, None
    ended = False

    def compare():
        for size, root in elsewhere:
            if size == tree.size and root != tree.root():
                raise Broken(f"the log was written anew: it is not what it was at {size} entries")

    try:
        for line in lines:
            number += 1
            if ended:
                raise Broken("there is something after the last line")
            if not line.endswith("\n"):
                raise Broken("the line was cut off")
            line = json.loads(line, object_pairs_hook=once)
            if own is None:
                form, version, key = members(line, "format", "v", "key")
                if form != "rondo-audit" or version not in (2, 3):
                    raise Broken("this is not an export of this version")
                own = Trust(Key(key))
                if trust and trust.name != own.name:
                    raise Broken("the given key is of another log")
                continue
            if "introduction" in line:
                (note,) = members(line, "introduction")
                if begun:
                    raise Broken("a key is introduced after the first entry")
                own.introduce(note)
                if trust:
                    try:
                        trust.introduce(note)
                    except Broken:
                        pass
                continue
            if not begun:
                begun = True
                for note in kept:
                    by = trust if trust and trusts(trust, note) else own
                    elsewhere.append(by.checkpoint(note))
                compare()
            if "body" in line:
                personal = line.pop("personal", {})
                body, claimed = members(line, "body", "hash")
                if body.get("v") not in (1, 2):
                    raise Broken("an entry of another version")
                if body.get("seq") != tree.size + 1:
                    raise Broken(f"entry {tree.size + 1} was expected here")
                leaf = hashlib.sha256(b"\0" + canonical(body).encode()).digest()
                if leaf.hex() != claimed:
                    raise Broken(f"entry {body['seq']} was altered")
                check_personal(body, personal)
                tree.push(leaf)
                compare()
            elif "archived" in line:
                where, claimed = members(line, "archived", "hash")
                seq, segment = members(where, "seq", "segment")
                if seq != tree.size + 1:
                    raise Broken(f"entry {tree.size + 1} was expected here")
                leaf = bytes.fromhex(claimed)
                if len(leaf) != 32 or leaf.hex() != claimed or not segment or not isinstance(segment, str):
                    raise Broken(f"entry {seq} has no hash or no archive")
                tree.push(leaf)
                archived.append((segment, seq, claimed))
                compare()
            elif "checkpoint" in line:
                (note,) = members(line, "checkpoint")
                size, root = own.checkpoint(note)
                if size != tree.size or signed == size:
                    raise Broken(f"a checkpoint over {size} entries does not belong here")
                if root != tree.root():
                    raise Broken(f"the entries from {(signed or 0) + 1} to {size} are not those that were signed")
                signed, checkpoints, last = size, checkpoints + 1, note
                if trust and trusts(trust, note):
                    vouched = size
            else:
                told = members(line, "entries", "checkpoints", "root")
                if told != [tree.size, checkpoints, tree.root().hex()]:
                    raise Broken("the last line does not fit")
                if signed != tree.size:
                    raise Broken("no checkpoint covers the last entries")
                if trust and vouched != tree.size:
                    raise Broken("the file is not signed by the given key")
                ended = True
        if not ended:
            number += 1
            raise Broken("the end of the file was cut off")
    except Broken as broken:
        raise Broken(f"line {number}: {broken}") from None
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise Broken(f"line {number}: not a line of an export: {error}") from None
    return tree.size, archived, max((size for size, _ in elsewhere), default=None), last


def climbed(leaf, seq, size, path):
    """The root that an audit path (RFC 6962, section 2.1.1) leads to, from the leaf of entry `seq` in a tree over `size`."""
    place, last, root = seq - 1, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Broken("the path is too long")
        if place % 2 or place == last:
            root = hashlib.sha256(b"\1" + sibling + root).digest()
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            root = hashlib.sha256(b"\1" + root + sibling).digest()
        place, last = place // 2, last // 2
    if last:
        raise Broken("the path is too short")
    return root


def proved(line, manifest, given):
    """The place and the hash of the entry that a proof proves."""
    proof = json.loads(line, object_pairs_hook=once)
    if proof["format"] != "rondo-audit-proof" or proof["v"] not in (2, 3):
        raise Broken("this is not a proof of this version")
    trust = Trust(Key(proof["key"]))
    for note in proof["introductions"]:
        trust.introduce(note)
    size, root = trust.checkpoint(proof["checkpoint"])
    if given:
        vouching = Trust(given)
        for note in proof["introductions"]:
            try:
                vouching.introduce(note)
            except Broken:
                pass
        vouching.checkpoint(proof["checkpoint"])
    body, seq = proof["body"], proof["body"]["seq"]
    leaf = hashlib.sha256(b"\0" + canonical(body).encode()).digest()
    if leaf.hex() != proof["hash"] or body["v"] not in (1, 2) or not 1 <= seq <= size or size != proof["size"]:
        raise Broken("the entry was altered")
    check_personal(body, proof.get("personal", {}))
    if climbed(leaf, seq, size, [bytes.fromhex(hash) for hash in proof["path"]]) != root:
        raise Broken("the entry is not in the log that was signed")
    if (trust.name, size, root.hex()) != (manifest["log"], manifest["size"], manifest["root"]):
        raise Broken("it is proved under another checkpoint")
    return seq, leaf.hex()


def segment(path, given):
    """A segment that proves its entries: its name, and their hashes by their places."""
    number = 0
    try:
        with tarfile.open(path) as archive:
            manifest, proofs = (archive.extractfile(name).read() for name in ("evidence.json", "proofs.jsonl"))
        manifest, hashes = json.loads(manifest, object_pairs_hook=once), {}
        if (manifest["format"], manifest["v"]) != ("rondo-evidence", 1):
            raise Broken("this is no segment of this version")
        bodies = {}
        for line in proofs.decode().splitlines():
            number += 1
            seq, hash = proved(line, manifest, given)
            hashes[seq], bodies[seq] = hash, json.loads(line)["body"]
        if list(hashes) != manifest["entries"]:
            raise Broken("it names other entries than it proves")
        names = path.removesuffix(".tar") + ".names.jsonl"
        if os.path.exists(names):
            with open(names, encoding="utf-8", newline="\n") as lines:
                for line in lines:
                    seq, personal = members(json.loads(line, object_pairs_hook=once), "seq", "personal")
                    if seq not in bodies:
                        raise Broken(f"{names} names entry {seq}, which is not in it or comes twice")
                    check_personal(bodies.pop(seq), personal)
    except (Broken, tarfile.TarError, ValueError, AttributeError, KeyError, TypeError) as broken:
        raise Broken(f"{path}, proof {number}: {broken}") from None
    return os.path.basename(path), hashes


def compared(archived, held):
    """How many archived entries are in none of the given segments. Raises Broken if one is not in its segment as it is."""
    for name, seq, claimed in archived:
        if name in held and held[name].get(seq) != claimed:
            raise Broken(f"the segment {name} does not hold entry {seq} as it is in the log: one of them was altered")
    return sum(name not in held for name, _, _ in archived)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("export")
    parser.add_argument("--key")
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--witness", action="append", default=[])
    parser.add_argument("--quorum", type=int)
    parser.add_argument("--archive", action="append", default=[])
    asked = parser.parse_args()

    def text(path):
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()

    given = Key(text(asked.key).strip()) if asked.key else None
    kept = [text(path) for path in asked.checkpoint]
    witnesses = [Key(key, kind=4) for key in asked.witness]
    needed = len(witnesses) if asked.quorum is None else asked.quorum
    if len({key.public for key in witnesses}) < len(witnesses):
        parser.error("the same key of a witness is given twice")
    if (asked.quorum is not None or witnesses) and not 1 <= needed <= len(witnesses):
        parser.error("a quorum is at least 1 and at most the number of witnesses")
    try:
        with open(asked.export, encoding="utf-8", newline="\n") as lines:
            entries, archived, covered, last = verify(lines, given, kept)
        held = dict(segment(path, given) for path in asked.archive)
        unseen = compared(archived, held)
    except (Broken, UnicodeDecodeError) as broken:
        print(f"integrity: broken: {broken}")
        print("completeness: not known")
        return 1
    print(f"integrity: {entries} entries, nothing was altered")
    if archived:
        print(f"archived: {len(archived)} entries, of which the export has the hashes alone")
        told = f"{unseen} were not seen" if unseen else "the given segments hold every one of them, unaltered"
        print(f"archived: {told}")
    missing = covered is not None and covered > entries
    if covered is None:
        print("completeness: not known of the end: no checkpoint from elsewhere")
    elif missing:
        print(f"completeness: the entries from {entries + 1} to {covered} are missing")
    else:
        print(f"completeness: nothing is missing up to entry {covered}")
    if not witnesses:
        return 1 if missing else 0
    times = {witness.text: cosigned_at(witness, last) for witness in witnesses}
    cosigned = sum(time is not None for time in times.values())
    verdict = f"proved up to entry {entries}" if cosigned >= needed else "NOT PROVED"
    print(f"witnessed: {verdict}; {cosigned} of {len(witnesses)} witnesses have cosigned, {needed} have to")
    for key, time in times.items():
        print(f"  {key}: {'has not cosigned this' if time is None else f'has cosigned at {time}'}")
    return 1 if missing or cosigned < needed else 0


if __name__ == "__main__":
    sys.exit(main())
