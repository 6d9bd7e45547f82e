"""Words that every paper uses about itself: they tell nothing of what it is about.

All are forms as `vocabulary` folds them: lower case, without the plural's ending.
"""

_BREAKS = """
    achieve achieved achieving across act adapt addition additional additionally address
    addressed addressing adopt adopted advance advanced advancing advent against aim al
    alleviate allow allowing along already although amid among amount analyse analyze analyzing
    appendix applied apply applying approach around art aspect assume attempt available avenue
    average based become best better beyond boost bottleneck bridge bring bringing build
    building built call called capable capture capturing carefully case certain challenge
    challenging choose combine combined combining come common comparable compare compared
    comparing competitive comprehensive conclude conclusion conduct conducted consider
    considerable considered considering consist consistent construct constructed contrast
    contribution conventional correspond corresponding costly create creating critical crucial
    crucially current day deliver delivering demonstrate demonstrated demonstrating denote
    depend derive designed desired despite determine develop developed developing different
    difficult directly discuss diverse doe down draw drawing dubbed due e.g easy effective
    effectively efficient eight either eliminate emerging empirical empirically employ employed
    employing enable enabling encourage enhance enhanced enhancing enough ensure ensuring entire
    era especially essential establish et etc evaluate evaluated evaluating even ever every
    evidence exact examine example exceed excellent execute exhibit exist existing experiment
    experimental explicit explicitly exploit exploiting explore explored exploring express
    expressive extend extended extending extensive extensively extent facilitate factor fail
    fall far fast faster fig figure finally find finding first five focus focusing follow
    following forget formulate found foundational four framework full fully fundamental
    furthermore gain gap generate generated get getting github give given giving go goes going
    good great greater growing handle hard help hence high higher highlight hinder hindered
    hindering homepage hope however http https hundred i.e identify identifying ii iii impact
    implement important impressive improve improved improvement improving inability include
    including incorporate incorporating increase increased increasing increasingly indicate
    inherent insight inspiration inspired instead integrate integrated integrating interact
    interacting interesting introduce introduced introducing investigate investigating issue
    keep key known lack landscape largely larger last later latest lead leading learn learned
    least less let leverage leveraging like likely limit limitation limited longer lot low lower
    magnitude main mainly maintain maintaining make making many margin maximum mean meant meet
    method million minimum mitigate mitigating modern moreover motivate motivated much multiple
    named namely nearly necessary necessitate need never nevertheless new next nine none
    nontrivial notable notably notoriously novel number observe observed obtain obtained
    obtaining offer offering often one operate order others otherwise outperform outperformed
    outperforming overall overcome overcoming overlook page paper paradigm part partially
    particular particularly people per percent perform performance performing play point popular
    pose posing possible potential potentially practical precisely preliminary presence present
    presented presenting preserve preserving prevailing prevent previous previously primarily
    produce producing project prominent promising promote propose proposed proposing prove
    provide provided providing public publicly publish published pursue question range rank
    ranking rapid rapidly rarely rather reach readily real reasonable recent recently reduce
    reduced reducing regarding regardless relatively release released relevant rely relying
    remain remaining remarkable report reported repository require required requirement
    requiring research researcher resolve respect respectively result resulting retain retrieve
    retrieved reveal revealing sample sampled second section seek seem select separate serve
    serving set seven several shed short show showing shown significant significantly similar
    similarly simple simply since single six smaller solve solving sometimes soon sota speaking
    specific specifically start still store stored straightforward strength striking strong
    struggle studied study studying subsequent substantial substantially success successful
    successfully suffer sufficient suggest suggesting suitable superior supplementary surpass
    surpassing systematic systematically tackle tackling take taking technique ten tend termed
    theoretical theoretically thereby therefore thing third thoroughly though thousand three
    throughout thus till together toward towards traditional train trained two typical typically
    ultimately underlying understand understudied unique unlike unlikely unlock unlocking
    unprecedented up upcoming update updated updating upon url useful usually utilize utilized
    utilizing validate validated valuable variety various vast verify versus vital want way
    website well whereby whether whose wide widely within without work worse worst year yet
    yield yielding zero
"""
BREAKS = frozenset(_BREAKS.split())
"""No suggestion holds one of these, unless a hyphen ties it to its neighbour (`low-rank`)."""

_PLAIN = """
    ability accuracy adaptability advantage agent algorithm analysis application architecture
    area assessment availability baseline behavior behaviour benchmark benefit capability
    capacity category characteristic class code collection community comparison complexity
    component computation concept condition configuration connection consistency constraint
    content context cost criterion data dataset degree demand depth design detail development
    difference difficulty direction discovery distribution domain downstream dynamic effect
    effectiveness efficacy efficiency effort element environment error estimate evaluation
    existence experience expert extraction fact family feature field flexibility form format
    formulation foundation function general goal group guarantee guidance human idea image
    implementation importance individual influence information input instance instruction
    integration interaction interest introduction judge knowledge label language large layer
    learning length level line literature long long-term loss machine mechanism memory metric
    mode model module nature network object objective observation open operation opportunity
    optimal outcome output overhead parameter pattern perspective phase phenomenon pipeline
    platform practice precision prediction principle prior problem procedure process processing
    product program progress property purpose quality quantity rate ratio reality reason region
    relation relationship reliability representation resource response robustness role sample
    scale scenario scheme scope score sequence service setting signal size small software
    solution source space speed stability stage standard state step strategy structure subset
    suite superiority survey system table target task test text theory time tool topic total
    trade training trend type unit usage use user utility validation value variable variant
    variation version video visual word world
"""
PLAIN = frozenset(_PLAIN.split())
"""None of these is a suggestion alone: `language model` is one, `model` is not."""
