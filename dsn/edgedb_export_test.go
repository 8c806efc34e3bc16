package dsn

// ParseEdgeDuration opens the reader of durations.
var ParseEdgeDuration = parseEdgeDuration

// CRC16XModem opens the checksum of cloud instances' names.
var CRC16XModem = crc16XModem

// EdgeDBStash gives the folder of what is known about a project.
func EdgeDBStash(dir string, env Environment) string {
	e := newEdgeEnvironment(env)
	path, _ := e.findConfig("projects", e.stashName(dir))
	return path
}

// EdgeDBParent gives a path's folder and its name in it.
func EdgeDBParent(path, platform string) (dir, name string) {
	return newEdgeEnvironment(Environment{Platform: platform}).parent(path)
}
