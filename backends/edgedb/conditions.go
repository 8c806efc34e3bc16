package edgedb

import "github.com/duetdb/duet"

// condition is one error of EdgeDB's documented tree (documentation, "Protocol
// reference", chapter "Errors"). The tree is in the codes: an error's parent is
// the one whose code has its last byte that is not zero set to zero.
type condition struct {
	code uint32
	kind duet.Kind
	tags tags
}

// tags are the documented marks of an error, its parents' included.
type tags uint8

const (
	// retryTag is SHOULD_RETRY: another attempt may succeed.
	retryTag tags = 1 << iota
	// reconnectTag is SHOULD_RECONNECT: another attempt needs another connection.
	reconnectTag
)

// Families of errors: what the codes of all their members begin with.
const (
	familyBinaryProtocol   uint32 = 0x0301
	familySessionTimeout   uint32 = 0x0406
	familyConflict         uint32 = 0x050301
	familyAvailability     uint32 = 0x08
	familyClientConnection uint32 = 0xff01
)

// conditions are the errors by name. The server reports those below 0xf0, what
// is above 0xff is edgedb-go's own. Texts refine some of the kinds: errors_texts.go.
var conditions = map[string]condition{
	"InternalServerError":                    {0x01000000, duet.KindOther, 0},
	"UnsupportedFeatureError":                {0x02000000, duet.KindUnsupported, 0},
	"ProtocolError":                          {0x03000000, duet.KindProtocol, 0},
	"BinaryProtocolError":                    {0x03010000, duet.KindProtocol, 0},
	"UnsupportedProtocolVersionError":        {0x03010001, duet.KindProtocol, 0},
	"TypeSpecNotFoundError":                  {0x03010002, duet.KindProtocol, 0},
	"UnexpectedMessageError":                 {0x03010003, duet.KindProtocol, 0},
	"InputDataError":                         {0x03020000, duet.KindInvalidArgument, 0},
	"ParameterTypeMismatchError":             {0x03020100, duet.KindInvalidArgument, 0},
	"StateMismatchError":                     {0x03020200, duet.KindOther, retryTag},
	"ResultCardinalityMismatchError":         {0x03030000, duet.KindCardinality, 0},
	"CapabilityError":                        {0x03040000, duet.KindUnsupported, 0},
	"UnsupportedCapabilityError":             {0x03040100, duet.KindUnsupported, 0},
	"DisabledCapabilityError":                {0x03040200, duet.KindUnsupported, 0},
	"QueryError":                             {0x04000000, duet.KindOther, 0},
	"InvalidSyntaxError":                     {0x04010000, duet.KindSyntax, 0},
	"EdgeQLSyntaxError":                      {0x04010100, duet.KindSyntax, 0},
	"SchemaSyntaxError":                      {0x04010200, duet.KindSyntax, 0},
	"GraphQLSyntaxError":                     {0x04010300, duet.KindSyntax, 0},
	"InvalidTypeError":                       {0x04020000, duet.KindOther, 0},
	"InvalidTargetError":                     {0x04020100, duet.KindOther, 0},
	"InvalidLinkTargetError":                 {0x04020101, duet.KindOther, 0},
	"InvalidPropertyTargetError":             {0x04020102, duet.KindOther, 0},
	"InvalidReferenceError":                  {0x04030000, duet.KindUndefined, 0},
	"UnknownModuleError":                     {0x04030001, duet.KindUndefined, 0},
	"UnknownLinkError":                       {0x04030002, duet.KindUndefined, 0},
	"UnknownPropertyError":                   {0x04030003, duet.KindUndefined, 0},
	"UnknownUserError":                       {0x04030004, duet.KindUndefined, 0},
	"UnknownDatabaseError":                   {0x04030005, duet.KindUndefined, 0},
	"UnknownParameterError":                  {0x04030006, duet.KindUndefined, 0},
	"DeprecatedScopingError":                 {0x04030007, duet.KindOther, 0},
	"SchemaError":                            {0x04040000, duet.KindOther, 0},
	"SchemaDefinitionError":                  {0x04050000, duet.KindOther, 0},
	"InvalidDefinitionError":                 {0x04050100, duet.KindOther, 0},
	"InvalidModuleDefinitionError":           {0x04050101, duet.KindOther, 0},
	"InvalidLinkDefinitionError":             {0x04050102, duet.KindOther, 0},
	"InvalidPropertyDefinitionError":         {0x04050103, duet.KindOther, 0},
	"InvalidUserDefinitionError":             {0x04050104, duet.KindOther, 0},
	"InvalidDatabaseDefinitionError":         {0x04050105, duet.KindOther, 0},
	"InvalidOperatorDefinitionError":         {0x04050106, duet.KindOther, 0},
	"InvalidAliasDefinitionError":            {0x04050107, duet.KindOther, 0},
	"InvalidFunctionDefinitionError":         {0x04050108, duet.KindOther, 0},
	"InvalidConstraintDefinitionError":       {0x04050109, duet.KindOther, 0},
	"InvalidCastDefinitionError":             {0x0405010a, duet.KindOther, 0},
	"DuplicateDefinitionError":               {0x04050200, duet.KindOther, 0},
	"DuplicateModuleDefinitionError":         {0x04050201, duet.KindOther, 0},
	"DuplicateLinkDefinitionError":           {0x04050202, duet.KindOther, 0},
	"DuplicatePropertyDefinitionError":       {0x04050203, duet.KindOther, 0},
	"DuplicateUserDefinitionError":           {0x04050204, duet.KindOther, 0},
	"DuplicateDatabaseDefinitionError":       {0x04050205, duet.KindOther, 0},
	"DuplicateOperatorDefinitionError":       {0x04050206, duet.KindOther, 0},
	"DuplicateViewDefinitionError":           {0x04050207, duet.KindOther, 0},
	"DuplicateFunctionDefinitionError":       {0x04050208, duet.KindOther, 0},
	"DuplicateConstraintDefinitionError":     {0x04050209, duet.KindOther, 0},
	"DuplicateCastDefinitionError":           {0x0405020a, duet.KindOther, 0},
	"DuplicateMigrationError":                {0x0405020b, duet.KindOther, 0},
	"SessionTimeoutError":                    {0x04060000, duet.KindUnavailable, 0},
	"IdleSessionTimeoutError":                {0x04060100, duet.KindUnavailable, retryTag},
	"QueryTimeoutError":                      {0x04060200, duet.KindCanceled, 0},
	"TransactionTimeoutError":                {0x04060a00, duet.KindCanceled, 0},
	"IdleTransactionTimeoutError":            {0x04060a01, duet.KindUnavailable, 0},
	"ExecutionError":                         {0x05000000, duet.KindOther, 0},
	"InvalidValueError":                      {0x05010000, duet.KindInvalidArgument, 0},
	"DivisionByZeroError":                    {0x05010001, duet.KindOther, 0},
	"NumericOutOfRangeError":                 {0x05010002, duet.KindInvalidArgument, 0},
	"AccessPolicyError":                      {0x05010003, duet.KindPermission, 0},
	"QueryAssertionError":                    {0x05010004, duet.KindOther, 0},
	"IntegrityError":                         {0x05020000, duet.KindOther, 0},
	"ConstraintViolationError":               {0x05020001, duet.KindCheckViolation, 0},
	"CardinalityViolationError":              {0x05020002, duet.KindCardinality, 0},
	"MissingRequiredError":                   {0x05020003, duet.KindNotNullViolation, 0},
	"TransactionError":                       {0x05030000, duet.KindOther, 0},
	"TransactionConflictError":               {0x05030100, duet.KindSerialization, retryTag},
	"TransactionSerializationError":          {0x05030101, duet.KindSerialization, retryTag},
	"TransactionDeadlockError":               {0x05030102, duet.KindDeadlock, retryTag},
	"WatchError":                             {0x05040000, duet.KindOther, 0},
	"ConfigurationError":                     {0x06000000, duet.KindConfig, 0},
	"AccessError":                            {0x07000000, duet.KindPermission, 0},
	"AuthenticationError":                    {0x07010000, duet.KindAuthentication, 0},
	"AvailabilityError":                      {0x08000000, duet.KindUnavailable, 0},
	"BackendUnavailableError":                {0x08000001, duet.KindUnavailable, retryTag},
	"ServerOfflineError":                     {0x08000002, duet.KindUnavailable, retryTag | reconnectTag},
	"UnknownTenantError":                     {0x08000003, duet.KindUnavailable, retryTag | reconnectTag},
	"ServerBlockedError":                     {0x08000004, duet.KindUnavailable, 0},
	"BackendError":                           {0x09000000, duet.KindOther, 0},
	"UnsupportedBackendFeatureError":         {0x09000100, duet.KindUnsupported, 0},
	"LogMessage":                             {0xf0000000, duet.KindOther, 0},
	"WarningMessage":                         {0xf0010000, duet.KindOther, 0},
	"ClientError":                            {0xff000000, duet.KindOther, 0},
	"ClientConnectionError":                  {0xff010000, duet.KindUnavailable, 0},
	"ClientConnectionFailedError":            {0xff010100, duet.KindUnavailable, 0},
	"ClientConnectionFailedTemporarilyError": {0xff010101, duet.KindUnavailable, retryTag | reconnectTag},
	"ClientConnectionTimeoutError":           {0xff010200, duet.KindUnavailable, retryTag | reconnectTag},
	"ClientConnectionClosedError":            {0xff010300, duet.KindUnavailable, retryTag | reconnectTag},
	"InterfaceError":                         {0xff020000, duet.KindInvalidArgument, 0},
	"QueryArgumentError":                     {0xff020100, duet.KindInvalidArgument, 0},
	"MissingArgumentError":                   {0xff020101, duet.KindInvalidArgument, 0},
	"UnknownArgumentError":                   {0xff020102, duet.KindInvalidArgument, 0},
	"InvalidArgumentError":                   {0xff020103, duet.KindInvalidArgument, 0},
	"NoDataError":                            {0xff030000, duet.KindNoData, 0},
	"InternalClientError":                    {0xff040000, duet.KindOther, 0},
}

// is says whether the condition belongs to a family.
func (c condition) is(family uint32) bool {
	code := c.code
	for code > family {
		code >>= 8
	}
	return code == family && family != 0
}

// fromClient says that edgedb-go made the error: the server has said nothing.
func (c condition) fromClient() bool { return c.code >= 0xff000000 }

// conditionOf finds the condition of a code, or the nearest that is a parent of
// it: a newer server may report errors that have no name here.
func conditionOf(code uint32) (name string, c condition, ok bool) {
	for _, mask := range []uint32{0xffffffff, 0xffffff00, 0xffff0000, 0xff000000} {
		for name, c := range conditions {
			if c.code == code&mask {
				return name, c, true
			}
		}
	}
	return "", condition{}, false
}
