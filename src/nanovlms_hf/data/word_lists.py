"""Word lists for pages: common English words and Chinese characters, the more frequent ones roughly first, and names.

The order matters (a word's place is its rank in the page's word distribution), the exact ranks do not.
"""

ENGLISH = tuple(
    """
the of and to in is that it was for on are as with his they be at one have this from by hot but what some were we can
out other all your when up use word how said an each she which do their time if will way about many then them would
write like so these her long make thing see him two has look more day could go come did my sound no most number who
over know water than call first people may down side been now find any new work part take get place made live where
after back little only round man year came show every good me give our under name very through just form much great
think say help low line before turn cause same mean differ move right boy old too does tell sentence set three want air
well also play small end put home read hand port large spell add even land here must big high such follow act why ask
men change went light kind off need house picture try us again animal point mother world near build self earth father
head stand own page should country found answer school grow study still learn plant cover food sun four thought let
keep eye never last door between city tree cross since hard start might story saw far sea draw left late run while
press close night real life few stop open seem together next white children begin got walk example ease paper often
always music those both mark book letter until mile river car feet care second group carry took rain eat room friend
began idea fish mountain north once base hear horse cut sure watch colour face wood main enough plain girl usual young
ready above ever red list though feel talk bird soon body dog family direct pose leave song measure state product black
short numeral class wind question happen complete ship area half rock order fire south problem piece told knew pass
farm top whole king size heard best hour better true during hundred remember step early hold west ground interest reach
fast five sing listen six table travel less morning ten simple several vowel toward war lay against pattern slow centre
love person money serve appear road map science rule govern pull cold notice voice fall power town fine certain fly
unit lead cry dark machine note wait plan figure star box noun field rest correct able pound done beauty drive stood
contain front teach week final gave green quick develop sleep warm free minute strong special mind behind clear tail
produce fact street inch lot nothing course stay wheel full force blue object decide surface deep moon island foot yet
busy test record boat common gold possible plane age dry wonder laugh thousand ago ran check game shape yes miss heat
snow bed bring sit perhaps fill east weight language among system because company without government however against
public service market report within million during group social local become national business member percent law
question course party result level office office health director research political court rate community economic
policy process program education price control value action process department position land available million
include continue provide believe consider suggest require expect allow remain offer appear increase reduce improve
support receive return explain describe argue agree accept apply avoid bear beat bind bite blow borrow break breathe
burn bury buy catch choose climb clean collect compare complain connect cook copy cost count create dance deal deliver
depend destroy dig discover discuss divide doubt dream dress drink drop earn enjoy enter escape examine exist expand
express fail fear feed fight finish fit fix float fold forget forgive gain gather greet guess guide hang heal hide
hire hit hope hunt hurry hurt imagine inform insist invite join jump kick kiss knock lack last launch lend lie
lift limit link load lock lose manage marry match mend mention mix obey observe obtain occur oppose order owe
paint park pay perform permit pick pour pray prefer prepare present prevent print promise protect prove publish punish
push raise reply refuse regret relate release rely remind remove repair repeat replace request rescue respect rise roll
rub rush sail save search seek sell send separate settle sew shake share shine shoot shout shut sign sink slide smell
smile solve sort speak spend spill spread stare steal stick strike struggle succeed suffer supply suppose surprise
surround swear sweep swim swing switch taste tear thank threaten throw tie touch train translate treat trust twist
understand vary visit vote wake wander warn wash waste wave wear weigh whisper win wish worry wrap yell yield
account address advice agency agent agreement amount analysis animal annual apartment approach argument arm army
article artist attack attempt attention audience author authority average award baby bag balance ball band bank bar
basis basket bath battle beach bean beginning behaviour belief bell belt benefit bill birth blade block blood board bone
border bottle bottom bowl brain branch bread breakfast breath brick bridge brother brush budget building bus butter
button cabinet cake camera camp campaign cancer candidate candle cap capital captain card career carpet case cash castle
cat cell ceiling century chain chair chairman challenge champion chance channel chapter character charge chart cheek
cheese chest chicken chief child chin choice church circle citizen claim client climate clock cloth clothes cloud club
coach coal coast coat coffee coin collar colleague collection college column combination comfort command comment
commission committee communication competition complaint computer concept concern concert conclusion condition
conference confidence conflict connection content contest context contract contribution conversation copper corner
corn cotton council couple courage cousin cow cream credit crew crime crisis criticism crop crowd crown culture cup
curtain curve customer damage danger data database date daughter dead death debate debt decade decision deer defence
degree delay demand desert design desire desk detail development device diamond dictionary diet difference difficulty
dinner dirt disaster discipline disease dish distance district document dollar double dozen driver drug dust duty ear
edge editor effect effort egg election electric element elevator emergency emotion emperor empire employee employer
energy engine engineer entrance environment equipment error estate evening event evidence exam exchange excitement
executive exercise exit expense experience experiment expert explanation export expression extent fabric factor factory
failure faith fan farmer fashion fate fault favour feature feather fee fence festival fever fiction file film finance
finger firm flag flame flat flavour fleet flesh flight flood floor flour flower fluid focus fog football forest fork
fortune foundation frame freedom freight fruit fuel function fund funeral furniture future gallery garage garden gas
gate gathering general generation gentleman giant gift glass glove goal goat god goods grain grandmother grape grass
grave growth guard guest guilt guitar gun guy habit hair hall hammer harbour harvest hat headline heart heaven height
hero highway hill history hole holiday honey honour hook horizon horn hospital host hotel household housing human
humour husband ice image impact implement import impression income independence industry influence injury ink insect
inside instance institution instruction instrument insurance intention interview introduction investment iron item
jacket jail jar jazz jet jewel job joint joke journal journey joy judge judgment juice jungle junior jury justice key
kid kingdom kitchen knee knife knot knowledge label labour ladder lady lake lamp lane laughter lawn lawyer layer leader
leaf league leather leg legend lemon lens lesson liberty library licence lid limb lion lip liquid literature loan
location log loss luck lunch lung magazine mail majority manager manner manufacturer march marble margin marriage mask
mass master mate material matter meal meaning meat media medicine meeting memory message metal method middle midnight
milk mill mineral minister minor minority mirror mission mistake mixture mobile model module moment monitor monkey month
monument mood moral motion motor mouse mouth movement movie mud muscle museum myth nail nation nature neck needle
neighbour nerve nest net network news newspaper noise nose notion novel nurse nut oak obligation occasion ocean oil
onion opening operation opinion opportunity option orange orbit organ origin outcome output oven owner oxygen pace pack
package pain pair palace palm pan panel panic parent parliament partner passage passenger passion past path patience
patient payment peace peak pearl pen pencil pension pepper percentage performance period permission phase phone photo
phrase piano pig pile pilot pin pine pink pipe pitch planet plastic plate platform player pleasure plot pocket poem poet
poison pole police politics pond pool population porch portion portrait possession possibility post pot potato poverty
powder practice prayer presence president pressure pride priest prince princess principle prison prisoner privacy prize
profession professor profile profit progress project property proportion proposal protest province purchase purpose
quality quantity quarter queen quest quiet quote rabbit race radio rail railway range rat ratio ray reaction reader
reality reason receipt recipe recovery reference reform refrigerator region register regulation rejection relation
relationship relative relief religion rent reputation resident resource response responsibility restaurant revenue
review revolution reward rhythm rice ride rifle ring risk ritual rival robot role roof root rope rose routine row royal
rubber ruin rumour sacrifice safety salad salary sale salt sample sand satellite sauce scale scene schedule scheme
scholar score screen script sculpture seal season seat secret secretary section sector security seed selection senate
sense series session shade shadow shame sheep sheet shelf shell shelter shift shirt shock shoe shop shore shoulder shower
sight signal silence silk silver singer sister site situation skill skin skirt sky slice slope smoke snake soap
society sock software soil soldier solution son soul soup source space speaker species speech speed spider spirit spoon
sport spot spring square squad staff stage stair stamp standard station statue status steam steel stem stick stock
stomach stone storage store storm stove stranger strategy stream strength stress string structure student studio stuff
style subject substance success sugar suit summer summit surgery survey suspect sweat symbol sympathy symptom talent tank
tape target task tax taxi tea teacher team technique technology telephone television temper temperature temple tendency
tennis tension tent term territory text texture theatre theme theory thread threat throat throne thumb thunder ticket
tide tiger timber tin tip tissue title tobacco toe tomato tomorrow tone tongue tool tooth topic tour tourist towel tower
toy trace track trade tradition traffic trail transfer transport trap treasure treatment trend trial tribe trick trip
troop trouble truck trunk truth tube tunnel tyre uncle uniform union universe university valley van variety vegetable
vehicle version vessel victim victory video view village violence virtue vision vitamin volume wage wall warrior weapon
weather web wedding weekend welcome wheat whistle wife wildlife window wine wing winner winter wire wisdom witness wolf
woman wool worker workshop worth wound wrist writer yard youth zone
active actual advanced afraid alive alone ancient angry anxious asleep automatic aware bad basic beautiful bitter blank
blind bold brave brief bright broad brown calm careful careless central cheap chemical civil clever comic commercial
complex confident conscious constant convenient cool crazy critical cruel curious current cute daily dangerous dear
decent definite delicate dense digital dirty distant distinct domestic dull dumb eager eastern effective efficient
elegant empty enormous entire equal essential exact excellent exciting expensive external extra extreme fair false
familiar famous fat favourite federal female fierce firm flexible foreign formal former fortunate fresh friendly
frozen funny generous gentle genuine global golden grand grateful grey gross guilty handsome happy harsh healthy heavy
helpful hidden hollow holy honest huge hungry ideal ill illegal immediate immense important impossible inner innocent
intense internal international jealous keen large lazy legal likely lively lonely loose loud lovely lucky mad magic
male marine massive mature medical mental mere mild military modern modest multiple musical mutual narrow nasty native
natural neat necessary negative nervous neutral nice noble normal northern nuclear odd official ordinary outer pale
parallel particular patient perfect permanent personal physical plenty polite poor popular positive practical precious
precise pregnant previous primary prime private probable professional prominent proper proud pure purple random rapid
rare raw recent regular relevant reliable religious remote responsible rich rigid rough rude rural sacred sad safe
scared secure senior sensitive serious severe sharp shy sick silent silly similar single slight smart smooth sober soft
solar solid southern spare specific stable steady steep stiff straight strange strict stupid subtle sudden sufficient
suitable super sweet swift tall technical temporary tender terrible thick thin thirsty tidy tight tiny tired total tough
toxic tropical typical ugly unable uncertain unique universal unusual upper upset urban urgent useful usual vague valid
valuable vast vertical violent virtual visible visual vital vivid weak wealthy weekly weird western wet wicked wide wild
willing wise wooden worried worse worst wrong yellow
abroad absolutely accidentally actually afterwards ahead almost already although altogether anyway apart aside away
badly barely besides beyond briefly carefully certainly clearly closely completely constantly currently deeply directly
easily eventually everywhere exactly extremely fairly finally forever fortunately forward frequently fully generally
gently gradually hardly hence highly immediately indeed initially instead largely lately likewise literally mainly maybe
meanwhile merely mostly namely nearly neither nevertheless nowhere obviously occasionally otherwise partly perfectly
possibly precisely presumably previously probably properly quickly quietly quite rarely rather recently regularly
relatively scarcely seldom seriously shortly significantly similarly simply slightly slowly somehow sometimes somewhat
somewhere specifically strongly suddenly surely thereby therefore thoroughly thus tightly twice typically unless unlike
upon usually whenever whereas wherever whether widely
archive arrow atlas attic autumn bakery balcony bamboo banana banner barrel beacon beaver beetle berry bishop blanket
blossom bonus bucket buffalo bundle burden cabin cactus canal canvas canyon carbon cargo carrot catalog cedar cellar
cement cereal chalk cherry chimney cider cinema cinnamon circus clay clinic clover cluster cobalt comet compass coral
cradle crane crayon crystal cube cycle dairy dawn decimal delta diagram dolphin donkey dragon drawer drum duck dune eagle
echo elbow elephant ember emerald envelope equation estuary falcon ferry fiddle filter flute fossil fountain fox fraction
galaxy garlic gauge geometry ginger glacier globe granite gravel gravity grocery gulf hamlet harp hazel hedge helmet herb
heron hive hockey hull hydrogen igloo index ivory ivy jade jelly kettle kiosk kitten lagoon lantern laser lattice lava
lavender ledger lentil lighthouse lilac lily linen lizard lobster lotus lunar magnet mango maple marsh meadow melon
mercury meteor mint mosaic moss mustard nectar nickel nitrogen nutmeg nylon oasis olive opera orchard orchid otter oval
owl oyster paddle parade parrot pasture peach peanut pebble penguin petal pigeon pillow plaza plum pollen polygon
pottery prairie prism puddle pulse pumpkin puzzle pyramid quarry quartz quilt radar radius raft ranch raven reef reptile
ribbon ridge riddle rocket ruby rust saddle salmon sapphire satin scarf sediment shrimp sketch skeleton sledge snail
sonata sparrow spectrum spice spiral sponge squirrel stadium stencil stork straw sulphur sunset swan syrup tablet tavern
telescope terrace thimble thistle tile tortoise tractor triangle trumpet tulip tundra turbine turnip turtle umbrella
valve vapour vault velvet vineyard violin volcano voyage vulture waffle wagon walnut walrus waterfall weaver whale
willow windmill wizard yacht yarn zebra zinc
""".split()
)
ENGLISH = tuple(dict.fromkeys(ENGLISH))

FIRST_NAMES = tuple(
    """
Anna Boris Carla David Elena Felix Greta Hugo Irene Jonas Karin Leo Maria Nadia Oscar Paula Quentin Rosa Simon Tara
Ulrich Vera Walter Yara Zoe Adam Bella Cyril Dora Emil Fiona Gavin Helen Ivan Julia Kevin Laura Martin Nina Otto Peter
Ruth Samuel Theo Ursula Victor Wendy Amir Bianca Chen Dmitri Esther Farah Gita Hana Ibrahim Jamal Kofi Lena Mei Omar
Priya Ravi Sofia Tomas Uma Yusuf
""".split()
)
SURNAMES = tuple(
    """
Abbott Baker Carter Dalton Ellis Fischer Garcia Hansen Ivanov Jensen Keller Lopez Meyer Novak Olsen Patel Quinn Rossi
Silva Tanaka Ueda Vargas Weber Xu Young Zhang Adler Brandt Costa Duarte Evans Ferrari Gupta Hughes Ito Janssen Khan
Larsen Moreno Nguyen Okafor Petrov Ramos Schmidt Turner Ulloa Vogel Walsh Yilmaz Zimmer Bauer Clarke Dubois Engel
Foster Greco Haas Ibsen Jordan Kowalski Lindgren Mercer Nash Ortega Pereira Reyes Sato Thorne Varga Winters
""".split()
)
MONTHS = tuple("January February March April May June July August September October November December".split())

CHINESE = tuple(
    dict.fromkeys(
        "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事"
        "成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公"
        "此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回"
        "特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活更别打女变四神总何电"
        "数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却"
        "界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争"
        "运笔步改收根干造言联持组每济车亲极林服快办议往元英士证近失转夫令准布始怎呢存未远叫台单影具罗字爱击流备兵连调深商算"
        "质团集百需价花党华城石级整府离况亚请技际约示复病息究线似官火断精满支视消越器容照须九增研写称企八功吗包片史委乎查轻"
        "易早曾除农找装广显吧阿李标谈吃图念六引历首医局突专费号尽另周较注语仅考落青随选列武红响虽推势参希古众构房半节土投某"
        "案黑维革划敌致陈律足态护七兴派孩验责营星够章音跟志底站严巴例防族供效续施留讲型料终答紧黄绝奇察母京段依批群项故按河"
        "米围江织害斗双境客纪采举杀攻父苏密低朝友诉止细愿千值男钱破网热助倒育属坐帝限船脸职速刻乐否刚威毛状率甚独球般普怕弹"
        "校苦创伪久错承印晚兰试股拿脑预谁益阳若哪微尼继送急血惊伤素药适波夜省初喜卫源食险待述陆习置居劳财环排福纳欢雷警获模"
        "充负云停木游龙树疑层冷洲冲射略范竟句室异激汉村哈策演简卡罪判担州静退既衣您宗积余痛检差富灵协角占配征修皮挥胜降阶审"
        "沉坚善妈刘读啊超免压银买皇养伊怀执副乱抗犯追帮宣佛岁航优怪香著田铁控税左右份穿艺背阵草脚概恶块顿敢守酒岛托央户烈洋"
    )
)
CHINESE_SURNAMES = tuple("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗")

__all__ = ["CHINESE", "CHINESE_SURNAMES", "ENGLISH", "FIRST_NAMES", "MONTHS", "SURNAMES"]
