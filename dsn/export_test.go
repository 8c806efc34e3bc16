package dsn

// ParseOnly gives what the string alone says: libpq's PQconninfoParse.
func ParseOnly(dsn string) (map[string]string, error) {
	values, err := parseString(dsn)
	if err != nil {
		return nil, err
	}
	given := map[string]string{}
	for i, e := range values {
		if e.set {
			given[keywords[i].name] = e.value
		}
	}
	return given, nil
}

// KeywordsSince gives all keywords with the first libpq that knows them, where
// that is after 15.
func KeywordsSince() map[string]int {
	since := map[string]int{}
	for _, k := range keywords {
		since[k.name] = k.since
	}
	return since
}

// DecryptPKCS8 opens the reader of encrypted keys.
var DecryptPKCS8 = decryptPKCS8
