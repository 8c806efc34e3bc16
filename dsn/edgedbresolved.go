package dsn

import (
	"fmt"
	"io"
	"slices"
)

// EdgeDBResolved is a complete set of EdgeDB's parameters, each with its source.
// Printing or marshalling it shows secrets masked. It does not change after
// [ParseEdgeDB] made it, and is safe for concurrent use. The zero value has no
// parameters.
type EdgeDBResolved struct {
	// A pointer behind the pointer: fmt follows one, without calling methods,
	// where an EdgeDBResolved is in an unexported field.
	*edgeState
}

type edgeState struct {
	slots    [edgeSlots]edgeValue
	settings Values
	warnings []EdgeDBWarning
}

// database is what servers before EdgeDB 5 are asked for.
func (s *edgeState) database() edgeValue {
	v := s.slots[edgeBranch]
	if v.source == (Source{}) {
		v.text = edgeDefaultDatabase
	}
	return v
}

// All gives the parameters that have a value, secrets masked: instance and
// cloud_profile where such was resolved, host, port, user, password, secret_key,
// database, branch, tls_ca (a summary of the certificates), tls_security,
// tls_server_name, wait_until_available, and client_security where it is set.
func (r *EdgeDBResolved) All() Values { return r.list(false) }

// AllRevealed is [EdgeDBResolved.All] with secrets in the clear. Whoever calls it
// keeps them out of logs.
func (r *EdgeDBResolved) AllRevealed() Values { return r.list(true) }

func (r *EdgeDBResolved) list(reveal bool) Values {
	if r.edgeState == nil {
		return nil
	}
	var all Values
	for slot := range edgeSlots {
		v := r.slots[slot]
		if !v.set {
			continue
		}
		if slot == edgeBranch {
			all = append(all, listed("database", r.database(), false, reveal))
		}
		if slot == edgeTLSCA && !reveal {
			v.text = fmt.Sprintf("%d bytes of PEM", len(v.text))
		}
		all = append(all, listed(edgeNames[slot], v, slot == edgePassword || slot == edgeSecretKey, reveal))
	}
	return all
}

func listed(keyword string, v edgeValue, secret, reveal bool) Value {
	return masked(Value{Keyword: keyword, Value: v.text, Source: v.source, Secret: secret || mayHoldSecret(v.text)}, reveal)
}

func masked(v Value, reveal bool) Value {
	if v.Secret && !reveal && v.Value != "" {
		v.Value = mask
	}
	return v
}

// Get gives one parameter by its name in [EdgeDBResolved.All], a secret masked; ok
// says whether it has a value.
func (r *EdgeDBResolved) Get(keyword string) (v Value, ok bool) { return r.All().Get(keyword) }

// Reveal gives the value of one parameter in the clear, tls_ca in full, or "" if it
// has none.
func (r *EdgeDBResolved) Reveal(keyword string) string {
	v, _ := r.AllRevealed().Get(keyword)
	return v.Value
}

// Settings gives the server settings: the parameters of the DSN's query that are
// none of EdgeDB's, and the options'. One that may be a secret under a wrong name
// is masked; [EdgeDBConfig] has them as they are.
func (r *EdgeDBResolved) Settings() Values {
	if r.edgeState == nil {
		return nil
	}
	settings := slices.Clone(r.settings)
	for i := range settings {
		settings[i] = masked(settings[i], false)
	}
	return settings
}

// Warnings gives what was noticed, a line each. [EdgeDBConfig] has them with their
// kinds.
func (r *EdgeDBResolved) Warnings() []string {
	if r.edgeState == nil {
		return nil
	}
	var lines []string
	for _, w := range r.warnings {
		lines = append(lines, w.Text)
	}
	return lines
}

// String gives the parameters as key=value pairs, secrets masked.
func (r *EdgeDBResolved) String() string { return Format(r.All()) }

// Format prints what [EdgeDBResolved.String] gives, whatever the verb.
func (r EdgeDBResolved) Format(state fmt.State, _ rune) { io.WriteString(state, r.String()) }

// MarshalJSON gives [EdgeDBResolved.All] as one object: each parameter with its
// value and source, secrets masked.
func (r *EdgeDBResolved) MarshalJSON() ([]byte, error) { return r.All().MarshalJSON() }
