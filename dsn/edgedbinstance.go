package dsn

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// applyInstance resolves the name of a local instance, which has a file of
// credentials, or of one in the cloud.
func (r *edgeResolver) applyInstance(name string, source Source) *EdgeDBError {
	org, cloud, isCloud := strings.Cut(name, "/")
	switch {
	case isCloud && isCloudOrg(org) && isCloudInstance(cloud):
		r.slots[edgeInstance] = edgeValue{text: name, set: true, source: source}
		return r.applyCloud(org, cloud, source)
	case !isCloud && isInstanceName(name):
		r.slots[edgeInstance] = edgeValue{text: name, set: true, source: source}
		return r.applyLocal(name, source)
	}
	return edgeError(EdgeDBInvalidDSNOrName, "instance", source,
		"neither a URI (edgedb://… or gel://…) nor the name of an instance (name, or org/name in the cloud)")
}

func (r *edgeResolver) applyLocal(name string, source Source) *EdgeDBError {
	path, _ := r.env.findConfig("credentials", name+".json")
	if path == "" {
		return edgeError(EdgeDBCredentialsNotFound, "instance", source, "there is no home folder, and so no credentials for "+name)
	}
	data, err := r.env.read(path)
	if err != nil {
		kind := EdgeDBInvalidCredentials
		if errors.Is(err, fs.ErrNotExist) {
			kind = EdgeDBCredentialsNotFound
		}
		return edgeError(kind, "instance", source, "the credentials of "+name+" cannot be read from "+path).because(err)
	}
	return r.applyCredentials(data, Source{Kind: SourceCredentialsFile, Path: path, Via: source.String()})
}

// words reports whether s is words of letters and digits, and of underscores where
// they are allowed, with single dashes between them.
func words(s string, underscore bool) bool {
	dash := true // none may begin it
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' && underscore:
			dash = false
		case c == '-' && !dash:
			dash = true
		default:
			return false
		}
	}
	return !dash
}

// isInstanceName bounds the name by what a file system takes for name.json.
func isInstanceName(s string) bool { return len(s) <= 250 && words(s, true) }

func isCloudInstance(s string) bool { return words(s, false) }

// isCloudOrg allows one dash in front: some organisations' names are made from
// tokens.
func isCloudOrg(s string) bool { return words(strings.TrimPrefix(s, "-"), true) }

// maxLabel is how long a label of a domain name can be (RFC 1035, section 2.3.4).
const maxLabel = 63

// applyCloud derives the host of a cloud instance: its name is a label in the zone
// of the secret key's issuer, in one of a hundred buckets.
func (r *edgeResolver) applyCloud(org, name string, source Source) *EdgeDBError {
	org, name = strings.ToLower(org), strings.ToLower(name)
	label := name + "--" + org
	if len(label) > maxLabel {
		return edgeError(EdgeDBInvalidInstanceName, "instance", source,
			fmt.Sprintf("a cloud instance's org/name can have %d bytes, and this has %d", maxLabel-1, len(label)-1))
	}
	if err := r.setVariable(edgeSecretKey, "SECRET_KEY"); err != nil {
		return err
	}
	if !r.slots[edgeSecretKey].set {
		if err := r.applyCloudProfile(); err != nil {
			return err
		}
	}
	key := r.slots[edgeSecretKey]
	zone, problem := issuer(key.text)
	if problem != "" {
		return edgeError(EdgeDBInvalidSecretKey, "secret_key", key.source, problem)
	}
	host := fmt.Sprintf("%s.c-%02d.i.%s", label, crc16XModem(org+"/"+name)%100, zone)
	return r.set(edgeHost, host, Source{Kind: SourceCloud, Name: org + "/" + name})
}

// applyCloudProfile takes the secret key that the command line tool stored at login.
func (r *edgeResolver) applyCloudProfile() *EdgeDBError {
	if err := r.setVariable(edgeCloudProfile, "CLOUD_PROFILE"); err != nil {
		return err
	}
	profile := &r.slots[edgeCloudProfile]
	if !profile.set {
		*profile = edgeValue{text: "default", set: true}
	}
	const problem = "a cloud instance needs a secret key: give one, set GEL_SECRET_KEY, or log in with the command line tool"
	path, _ := r.env.findConfig("cloud-credentials", profile.text+".json")
	if path == "" {
		return edgeError(EdgeDBSecretKeyNotFound, "secret_key", Source{}, problem)
	}
	data, err := r.env.read(path)
	if err != nil {
		kind := EdgeDBInvalidCredentials
		if errors.Is(err, fs.ErrNotExist) {
			kind = EdgeDBSecretKeyNotFound
		}
		return edgeError(kind, "secret_key", profile.source, problem+" ("+path+" cannot be read)").because(err)
	}
	c := &credentials{source: Source{Kind: SourceCredentialsFile, Path: path}}
	if err := json.Unmarshal(data, &c.keys); err != nil {
		return edgeError(EdgeDBInvalidCredentials, "secret_key", c.source, "the cloud credentials are not a JSON object")
	}
	key := c.text("secret_key")
	if c.err != nil {
		return c.err
	}
	if key == nil {
		return edgeError(EdgeDBSecretKeyNotFound, "secret_key", c.source, "there is no secret_key in the cloud credentials")
	}
	return r.set(edgeSecretKey, *key, c.of("secret_key"))
}

// issuer gives the claim "iss" of a JSON web token (RFC 7519), whose signature is
// the server's to check.
func issuer(token string) (zone, problem string) {
	parts := strings.Split(token, ".")
	if len(parts) < 2 {
		return "", "not a JSON web token, which has parts separated by points"
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", "not a JSON web token: its claims are not base64"
	}
	var body struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(claims, &body) != nil {
		return "", "not a JSON web token: its claims are not a JSON object"
	}
	if !isHostName(body.Issuer) {
		return "", "the token's claim iss, which names the cloud's zone, is missing or not a domain name"
	}
	return body.Issuer, ""
}

// crc16XModem is the checksum of the XMODEM protocol: polynomial 0x1021, initial
// value 0, bits from the highest down.
func crc16XModem(s string) uint16 {
	var crc uint16
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
	}
	return crc
}
