package decode

import "reflect"

// learner finds out from rows what their shape did not say: the types of the
// values in cells, and which fields of a Go struct the result does not have.
type learner struct {
	// instances are the objects of which there was at least one.
	instances map[*node]bool
	// cells are what was found in the cells of each place.
	cells map[*node]cellState
	// done are the nodes below which nothing is left to learn.
	done map[*node]bool
}

// learn marks what exists in n, the shape of rows, and gives the shape for the
// next time: n itself if nothing was learned.
func learn(n *node, rows reflect.Value) *node {
	l := &learner{instances: map[*node]bool{}, cells: map[*node]cellState{}, done: map[*node]bool{}}
	if l.complete(n) {
		return n
	}
	for i := range rows.Len() {
		l.look(n, rows.Index(i))
	}
	next, changed := l.settle(n)
	if !changed {
		return n
	}
	return next
}

// complete says whether there is nothing to learn below n.
func (l *learner) complete(n *node) bool {
	done, known := l.done[n]
	if known {
		return done
	}
	switch {
	case n.kind == kindScalar:
		done = n.scalar != scalarUnknown
	case n.kind == kindList:
		done = l.complete(n.elem)
	default:
		done = true
		for _, f := range n.fields {
			done = l.complete(f.node) && f.seen && done
		}
	}
	l.done[n] = done
	return done
}

func (l *learner) look(n *node, v reflect.Value) {
	if l.complete(n) {
		return
	}
	switch {
	case n.kind == kindScalar:
		state, old := v.Interface().(cell)[0], l.cells[n]
		l.cells[n] = cellState{seen: old.seen || state.seen, scalar: max(old.scalar, state.scalar)}
	case n.kind == kindList:
		for i := range v.Len() {
			l.look(n.elem, v.Index(i))
		}
	case n.hasFields():
		l.instances[n] = true
		for i := range n.fields {
			l.look(n.fields[i].node, v.Field(firstField(n)+i))
		}
	}
}

// settle writes seen and gone into n and gives the shape for the next time.
func (l *learner) settle(n *node) (next *node, changed bool) {
	if l.complete(n) {
		return n, false
	}
	c := *n
	switch {
	case n.kind == kindScalar:
		c.scalar = l.cells[n].scalar
		return &c, c.scalar != scalarUnknown
	case n.kind == kindList:
		c.elem, changed = l.settle(n.elem)
		return &c, changed
	}
	c.fields = nil
	for i := range n.fields {
		f := &n.fields[i]
		if !f.seen {
			f.seen = l.exists(*f)
			f.gone = !f.seen && l.instances[n]
			changed = changed || f.seen || f.gone
		}
		if f.gone {
			continue
		}
		below, more := l.settle(f.node)
		changed = changed || more
		c.fields = append(c.fields, field{name: f.name, node: below, seen: f.seen})
	}
	return &c, changed
}

// exists says whether a field exists: edgedb-go spoke of it, or it had a value or
// was found missing.
func (l *learner) exists(f field) bool {
	return f.node.kind != kindScalar || f.node.scalar != scalarUnknown || l.cells[f.node].seen
}
