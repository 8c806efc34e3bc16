package dsn

import "strings"

// edgeParam is a parameter that a DSN can give in a part of its own, or in the
// query: as such, by the name of a variable, or by the path of a file.
type edgeParam struct {
	slot     edgeSlot
	name     string
	part     *string
	partName string // where it differs from name
}

// edgeSuffixes are the forms in the query. The path of a file can come from a
// variable in turn.
var edgeSuffixes = []string{"", "_env", "_file", "_file_env", "_file_file"}

// forms gives the names under which the query gives a parameter.
func (d *edgeDSN) forms(name string) (names []string) {
	for _, suffix := range edgeSuffixes {
		if suffix == "_file_file" && name != "tls_ca" {
			continue
		}
		if _, ok := d.query[name+suffix]; ok {
			names = append(names, name+suffix)
		}
	}
	return names
}

func (d *edgeDSN) gives(name string) bool { return len(d.forms(name)) > 0 }

// applyParam fills a slot from the DSN. What is not needed is not looked up: a
// variable or file may then be missing.
func (r *edgeResolver) applyParam(d *edgeDSN, p edgeParam, base Source) *EdgeDBError {
	forms := d.forms(p.name)
	if p.part != nil {
		place := p.partName
		if place == "" {
			place = p.name
		}
		base.Section = place
		if len(forms) == 0 {
			return r.set(p.slot, *p.part, base)
		}
		forms = append(forms, "the URI's "+place)
	}
	if len(forms) == 0 {
		return nil
	}
	if len(forms) > 1 {
		return edgeError(EdgeDBInvalidDSN, p.name, base, "given more than once: by "+strings.Join(forms, " and "))
	}
	name := forms[0]
	value := d.query[name]
	delete(d.query, name) // the rest are server settings
	if r.slots[p.slot].set {
		return nil
	}
	text, source, err := r.follow(p.name, name, value, queryOf(base, name))
	if err != nil {
		return err
	}
	if p.slot == edgeBranch {
		text = strings.TrimPrefix(text, "/")
	}
	return r.set(p.slot, text, source)
}

// follow gives what a query parameter's value stands for: itself, or what the
// variable or file of that name holds.
func (r *edgeResolver) follow(keyword, name, value string, source Source) (string, Source, *EdgeDBError) {
	suffix := strings.TrimPrefix(name, keyword)
	if suffix == "_env" || suffix == "_file_env" {
		text, ok := "", false
		if value != "" && strings.IndexByte(value, 0) < 0 {
			text, ok = r.env.LookupEnv(value)
		}
		if !ok {
			return "", source, edgeError(EdgeDBEnvNotFound, keyword, source, "the variable "+shownVariable(value)+" is not set")
		}
		source = Source{Kind: SourceEnvironment, Name: value, Via: source.String()}
		value = text
	}
	if suffix == "_file_file" {
		data, err := r.env.read(value)
		if err != nil {
			return "", source, edgeError(EdgeDBFileNotFound, keyword, source, "the file cannot be read").because(err)
		}
		value = oneLine(data)
	}
	if !strings.HasPrefix(suffix, "_file") {
		return value, source, nil
	}
	data, err := r.env.read(value)
	if err != nil {
		return "", source, edgeError(EdgeDBFileNotFound, keyword, source, "the file cannot be read").because(err)
	}
	text := string(data)
	if keyword != "tls_ca" {
		text = oneLine(data)
	}
	return text, Source{Kind: SourceFile, Path: value, Via: source.String()}, nil
}

// oneLine is a file's content without the end of its one line.
func oneLine(data []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
}

// shownVariable shows a name that is written as variables are, and hides what
// could be a value in the name's place.
func shownVariable(name string) string {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return "that it names (not shown: it may be a secret)"
		}
	}
	if name == "" || len(name) > 64 {
		return "that it names"
	}
	return name
}
