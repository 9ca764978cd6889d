// check-log holds a request log against golang.org/x/mod/sumdb: an implementation that nobody of this project wrote.
//
//	check-log log DIR VKEY [OLDSIZE…]      verifies the static files of a log: each entry, each tile, proofs
//	check-log proof FILE VKEY [LEAFFILE]   verifies a receipt (C2SP tlog-proof@v1) offline and prints its entry
//
// The entry of a receipt is its extra data, or what is in LEAFFILE.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "check-log:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 3 && args[0] == "log":
		return checkLog(args[1], args[2], args[3:])
	case len(args) == 3 && args[0] == "proof":
		return checkProof(args[1], args[2], "")
	case len(args) == 4 && args[0] == "proof":
		return checkProof(args[1], args[2], args[3])
	}
	return errors.New("usage: check-log log DIR VKEY [OLDSIZE...] | check-log proof FILE VKEY [LEAFFILE]")
}

// openCheckpoint verifies the signature. tlog.ParseTree knows only the Go checksum database, so the text is parsed here.
func openCheckpoint(data []byte, vkey string) (tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, fmt.Errorf("verification key: %w", err)
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(opened.Text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("checkpoint: origin is not %s", verifier.Name())
	}
	for _, extension := range lines[3:] {
		if extension == "" {
			return tree, errors.New("checkpoint: an extension line is empty")
		}
	}
	if tree.N, err = number(lines[1]); err != nil {
		return tree, fmt.Errorf("checkpoint: size: %w", err)
	}
	if tree.Hash, err = hash(lines[2]); err != nil {
		return tree, fmt.Errorf("checkpoint: root: %w", err)
	}
	// x/mod has no root for the empty tree; RFC 6962 has.
	if tree.N == 0 && tree.Hash != sha256.Sum256(nil) {
		return tree, errors.New("checkpoint: an empty log with the root of another tree")
	}
	return tree, nil
}

// number reads a decimal number in its one form.
func number(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is not a number as C2SP writes it", text)
	}
	return n, nil
}

// hash reads a hash in its one form.
func hash(text string) (tlog.Hash, error) {
	hash, err := tlog.ParseHash(text)
	if err != nil || hash.String() != text {
		return hash, fmt.Errorf("%q is not a hash as C2SP writes it", text)
	}
	return hash, nil
}
