package dsn

import (
	"encoding/json"
	"strconv"
)

// The default branch is a name that the server resolves; before EdgeDB 5 it was a
// database of a fixed name.
const (
	edgeDefaultBranch   = "__default__"
	edgeDefaultDatabase = "edgedb"
)

// applyCredentialsFile resolves a file that was named.
func (r *edgeResolver) applyCredentialsFile(path string, source Source) *EdgeDBError {
	data, err := r.env.read(path)
	if err != nil {
		return edgeError(EdgeDBInvalidCredentials, "", source, "the credentials file cannot be read").because(err)
	}
	return r.applyCredentials(data, Source{Kind: SourceCredentialsFile, Path: path, Via: source.String()})
}

// credentials is the JSON object of a credentials file, as its keys are read.
type credentials struct {
	keys   map[string]json.RawMessage
	source Source
	err    *EdgeDBError // the first problem
}

func (c *credentials) fail(key, problem string) {
	if c.err == nil {
		c.err = edgeError(EdgeDBInvalidCredentials, key, c.of(key), problem)
	}
}

func (c *credentials) of(key string) Source {
	source := c.source
	if key != "" {
		source.Section = "key " + key
	}
	return source
}

// text gives a key that must be a string, or nil where it is missing or null.
func (c *credentials) text(key string) *string {
	raw, ok := c.keys[key]
	if !ok {
		return nil
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil {
		c.fail(key, "not a string")
	}
	return text
}

func (c *credentials) port() *string {
	raw, ok := c.keys["port"]
	if !ok || string(raw) == "null" {
		return nil
	}
	text := string(raw)
	if _, ok := edgePortNumber(text); !ok {
		c.fail("port", "not a number from 1 to 65535")
	}
	return &text
}

// agree gives the one value of two keys for the same thing.
func (c *credentials) agree(key string, value *string, other string, otherValue *string) *string {
	if value != nil && otherValue != nil && *value != *otherValue {
		c.fail(key, "it contradicts "+other)
	}
	if value == nil {
		return otherValue
	}
	return value
}

// branch gives the branch or database. Credentials that were written for servers
// of both kinds name both defaults, which says nothing.
func (c *credentials) branch() (key string, value *string) {
	branch, database := c.text("branch"), c.text("database")
	if branch != nil && database != nil && *branch == edgeDefaultBranch && *database == edgeDefaultDatabase {
		return "branch", nil
	}
	if branch == nil {
		return "database", database
	}
	return "branch", c.agree("branch", branch, "database", database)
}

// security gives tls_security, or what tls_verify_hostname, its older form, says.
func (c *credentials) security() *string {
	word := c.text("tls_security")
	var verify *bool
	if raw, ok := c.keys["tls_verify_hostname"]; ok && json.Unmarshal(raw, &verify) != nil {
		c.fail("tls_verify_hostname", "not a boolean")
	}
	if verify == nil {
		return word
	}
	implied := string(EdgeDBNoHostVerification)
	if *verify {
		implied = string(EdgeDBStrict)
	}
	if word == nil || *word == edgeDefaultSecurity {
		return &implied
	}
	if strict := *word == string(EdgeDBStrict); strict != *verify {
		c.fail("tls_security", "it contradicts tls_verify_hostname, which is "+strconv.FormatBool(*verify))
	}
	return word
}

// applyCredentials resolves the JSON text of credentials. Keys that are unknown
// are ignored, as by EdgeDB's clients.
func (r *edgeResolver) applyCredentials(data []byte, source Source) *EdgeDBError {
	c := &credentials{source: source}
	if err := json.Unmarshal(data, &c.keys); err != nil || c.keys == nil {
		return edgeError(EdgeDBInvalidCredentials, "", source, "the credentials are not a JSON object")
	}
	branchKey, branch := c.branch()
	values := []struct {
		slot edgeSlot
		key  string
		text *string
	}{
		{edgeHost, "host", c.text("host")}, {edgePort, "port", c.port()}, {edgeUser, "user", c.text("user")},
		{edgePassword, "password", c.text("password")}, {edgeSecretKey, "secret_key", c.text("secret_key")}, {edgeBranch, branchKey, branch},
		{edgeTLSCA, "tls_ca", c.agree("tls_ca", c.text("tls_ca"), "tls_cert_data", c.text("tls_cert_data"))},
		{edgeTLSSecurity, "tls_security", c.security()}, {edgeTLSServerName, "tls_server_name", c.text("tls_server_name")},
	}
	if c.err != nil {
		return c.err
	}
	for _, v := range values {
		if v.text == nil {
			continue
		}
		if err := r.set(v.slot, *v.text, c.of(v.key)); err != nil {
			if err.Kind != EdgeDBUnixSocket {
				err.Kind = EdgeDBInvalidCredentials
			}
			return err
		}
	}
	return nil
}
