package dsn

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// edgeManifests are the files that make a folder a project, the first wins.
var edgeManifests = []string{"gel.toml", "edgedb.toml"}

// applyProject resolves the project that the working folder is in: the command
// line tool keeps, for each project, the name of its instance.
func (r *edgeResolver) applyProject() *EdgeDBError {
	const nothing = "nothing says what to connect to: give a DSN or an instance's name, " +
		"set GEL_DSN, GEL_INSTANCE, GEL_CREDENTIALS_FILE or GEL_HOST, or work in the folder of a project"
	dir, err := r.env.WorkDir()
	if err != nil {
		return edgeError(EdgeDBNoOptions, "", Source{}, nothing).because(err)
	}
	manifest := r.findManifest(dir)
	if manifest == "" {
		return edgeError(EdgeDBNoOptions, "", Source{}, nothing)
	}
	stash, found := r.stash(manifest)
	if !found {
		return edgeError(EdgeDBProjectNotInitialised, "instance", Source{Kind: SourceFile, Path: manifest},
			"the project is not linked to an instance: run `gel project init` (or `edgedb project init`)")
	}
	instance, source, ok := r.stashed(stash, "instance-name")
	if !ok {
		return edgeError(EdgeDBProjectNotInitialised, "instance", source,
			"the project's instance-name cannot be read: run `gel project init` (or `edgedb project init`)")
	}
	for _, s := range []struct {
		slot edgeSlot
		name string
	}{{edgeCloudProfile, "cloud-profile"}, {edgeBranch, "branch"}, {edgeBranch, "database"}} {
		text, source, ok := r.stashed(stash, s.name)
		if !ok {
			continue
		}
		if err := r.set(s.slot, text, source); err != nil {
			return err
		}
	}
	return r.applyInstance(instance, source)
}

// stashed reads one of the files about a project. Blanks around it do not count.
func (r *edgeResolver) stashed(stash, name string) (text string, source Source, ok bool) {
	path := r.env.join(stash, name)
	data, err := r.env.read(path)
	return strings.TrimSpace(string(data)), Source{Kind: SourceFile, Path: path, Via: "project"}, err == nil
}

// findManifest searches dir and the folders above it, within one file system.
func (r *edgeResolver) findManifest(dir string) string {
	device, known := r.device(dir)
	for {
		for _, name := range edgeManifests {
			if path := r.env.join(dir, name); r.env.exists(path) {
				return path
			}
		}
		parent, _ := r.env.parent(dir)
		if parent == dir || parent == "" {
			return ""
		}
		if other, ok := r.device(parent); known && ok && other != device {
			return ""
		}
		dir = parent
	}
}

func (r *edgeResolver) device(dir string) (device uint64, known bool) {
	info, err := r.env.Stat(dir)
	if err != nil {
		return 0, false
	}
	return deviceOf(info)
}

// stash gives the folder of what is known about a project, by its manifest.
func (r *edgeResolver) stash(manifest string) (path string, found bool) {
	dir, _ := r.env.parent(manifest)
	if canonical, err := r.env.EvalSymlinks(dir); err == nil {
		dir = canonical
	}
	return r.env.findConfig("projects", r.env.stashName(dir))
}

// stashName is the folder's name and the SHA-1 of its path, which Windows has in
// its extended form.
func (e edgeEnvironment) stashName(dir string) string {
	hashed := dir
	if e.windows && !strings.HasPrefix(dir, `\\`) {
		hashed = `\\?\` + dir
	}
	sum := sha1.Sum([]byte(hashed))
	_, name := e.parent(dir)
	return name + "-" + hex.EncodeToString(sum[:])
}
