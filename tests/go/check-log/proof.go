package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// receipt is a C2SP tlog-proof@v1.
type receipt struct {
	extra      []byte
	hasExtra   bool
	index      int64
	hashes     tlog.RecordProof
	checkpoint string
}

func checkProof(file, vkey, leafFile string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	proof, err := parseReceipt(string(data))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	entry := proof.extra
	if leafFile != "" {
		if entry, err = os.ReadFile(leafFile); err != nil {
			return err
		}
	} else if !proof.hasExtra {
		return errors.New("the receipt has no extra data: which entry it is for must be given as LEAFFILE")
	}
	tree, err := openCheckpoint([]byte(proof.checkpoint), vkey)
	if err != nil {
		return err
	}
	if proof.index >= tree.N {
		return fmt.Errorf("entry %d is beyond the %d entries of the checkpoint", proof.index, tree.N)
	}
	if err := tlog.CheckRecord(proof.hashes, tree.N, tree.Hash, proof.index, tlog.RecordHash(entry)); err != nil {
		return fmt.Errorf("entry %d is not in the log of the checkpoint: %w", proof.index, err)
	}
	fmt.Printf("ok: entry %d of %d: %s\n", proof.index, tree.N, entry)
	return nil
}

func parseReceipt(text string) (r receipt, err error) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		return r, errors.New("not a tlog-proof@v1")
	}
	r.checkpoint, lines = checkpoint, lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		r.hasExtra = true
		if r.extra, err = base64.StdEncoding.Strict().DecodeString(lines[0][len("extra "):]); err != nil {
			return r, fmt.Errorf("extra: %w", err)
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return r, errors.New("no index")
	}
	if r.index, err = number(lines[0][len("index "):]); err != nil {
		return r, fmt.Errorf("index: %w", err)
	}
	for _, line := range lines[1:] {
		sibling, err := hash(line)
		if err != nil {
			return r, err
		}
		r.hashes = append(r.hashes, sibling)
	}
	return r, nil
}
