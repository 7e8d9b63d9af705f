/**
 * The words that a message in a log may consist of: those of our own errors (`packages/testing/test/messages.test.ts`
 * names one that is missing), and those in which Node, OpenSSL, PostgreSQL, Redis, S3 servers and ffmpeg report
 * failures. Words that are also given names (will, grace, mark) stay out, and so do those of a conversation.
 */
export const logWords = new Set(
  `A ALPHA API AUTH AWS CA CLUSTERDOWN CPU DNS ERR ETag FATAL GET GiB HEAD HELLO HTTP HTTPS ID IO IP ISO JSON JWT
  LISTEN LOADING LOCAL MISCONF NOAUTH NOPERM NOT NULL OOM PATH POST PUT Please READONLY RELEASE RESP ReplyError S3
  SASL SCRAM SHA SHA-256 SQL SSL TCP TLS URI URL URLs UTC UTF WRONGPASS XML ZIP a aborted about accept accepted
  accepts access across adapter address admin administrator after again agent all allocate allowed allows already
  altnames always an analyse analysed analyser and announced another answer answered answers any api archive are
  argument arguments array as asked assertion at attempt audit authentication authority authorization available aws
  back backend bad be because been before began begins being belong belongs between blob block body boolean both broke
  broken bucket bucket's buffer buffers busy by byte bytes cached calculated callback called calls can canceled
  cancelled cannot case cases catalog cause caused cert cert's certificate certificate's certificates chain change
  changed character characters check choose chunk client clients clock close closed closing cluster code column
  columns command commands complete completed concurrent configuration configured conflict connect connected
  connecting connection connections constraint contains content continue convert converted copies copy corrupt
  corrupted could crash crashed create created credentials current cut cyclic damaged data database databases date day
  deadlock decode decoded defined delete deleted denied describe description destination destroyed detected device did
  didn't differ difference different directory disabled disconnected disk document does doesn't done down driver due
  during each early either element elements empty encode encoded encoding encrypted encryption end ended endpoint ends
  enough entity entry erase erasure error errors etag etags every exceed exceeded exceeds exchange exist existing
  exists expected expecting expects expired expires explains export extend extra fail failed failing fails failure
  failures far fatal fell fetch fewer ffmpeg ffprobe field fields file files finished first fit folder follow
  following for forbidden foreign form format found fragment from full function gap garage gateway gave genuine get
  getaddrinfo give given gives gone got had handle handler handlers handshake has hash have head header headers heads
  heavy held hello higher hit host hostname hosts however http https id identifier if ignored import in incomplete
  incorrect index initialised initialized initializing input insert installation installations installed instance
  integer interface internal interrupted into invalid ip is issuer issuers it iterable its job jobs json key keys kill
  killed kind known knows large larger last late latest leaf lease least left length less let level levels limit
  limits line link list listen listening load loading local locale locally lock locked log long longer lookup loopback
  loss lost lower made makes malformed manifest many match matches maximum maxmemory media memory message metadata
  method migrate migrated migrations minimum missing mkdir mode module moment more moved multipart must name names
  needed needs negative network never new newer nginx no nobody node none nor not nothing now null number numbers
  object objects of off old older on once one ones only open opened operation option options or order other others our
  ours out outbox output outside overflow owner packet packets page pair parameter parameters parse parsed part parts
  password passwords path payload peer pending per permanent permission permissions permitted phase picture piece pipe
  pipes pixels place please policy pool port position postgres postgresql predefined prefix premature prepared presigned primary
  private probe process processes processing promise properties property protocol provided provider public publish
  published query queue quota radius ran range rate reach reached read reading readonly ready reason receipt receipts
  received receiver record recorded recording recordings records recovery redirect redis refused refuses region
  rejected relation release released remote removed removes rename rendition renditions repeated replaced replica
  reply report reports request requested requests require required requires reset resource resources respond response
  restore result retries retry retryable return returned returns revoke right role room round routes routines row rows
  run running runs s3 same saved says scandir schema schemas scratch script scripts second seconds secret secure
  select self send sending sent server servers service session sessions set setting settings several shape short
  shorter should shutdown shutting sign signal signature signed signing silent since size skewed slot slow small so
  socket some something sort sound source space spawn specified specify sslmode stall stalled start started starting
  starts stat state statement statements status step still storage store stored stores stream streams string succeeded
  success such superuser supply support supported supports syntax system table tables tail take taken takes
  temporarily temporary terminated terminating text than that the their them then therapist there these they this
  those thread threads time timed timeout times timestamp title to token tokens too took trail transaction
  transactions transcriber transfer tried truncated trust trusted try twice two type unable unauthorized unavailable
  undefined under unexpected unexpectedly unfinished unique unit unknown unlink unreachable unreadable unsafe
  unsupported until update upgrade upload uploaded uploads url urls usable use used user username uses using usually
  utf valid value values verification verify version versions via video videos violates violation wait waited waiting
  wants was watch we webhooks what when where whether which while whole with within without work worker workers
  working world would write writeable writes writing written wrong yet you your zero zone`.split(/\s+/),
)
