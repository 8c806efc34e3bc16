package edgedbtest

// Database is the PostgreSQL database of a branch.
func (s *Server) Database(branch string) string { return s.find(branchName(branch)).database }
