//! The simulation's Redis beside a real one: the same commands, the same answers.

use bytes::Bytes;
use dialplane_admin::publisher::stream::{APPEND, BEGIN, LOOK, MANIFEST};
use dialplane_bench::simulation::dice::Dice;
use dialplane_bench::simulation::redis::keyspace::Keyspace;
use dialplane_bench::simulation::redis::scripts::Known;
use dialplane_bench::simulation::redis::wire::Reply;
use dialplane_bench::system::Redis;
use dialplane_router::follower::REPORT;
use redis::Value;

const COMMANDS: usize = 20_000;

/// An answer as both give it. Of a refusal only that it is one, as the words are nobody's contract.
fn plain(reply: &Reply) -> Value {
    match reply {
        Reply::Nil => Value::Nil,
        Reply::Ok => Value::Okay,
        Reply::Int(number) => Value::Int(*number),
        Reply::Bulk(bytes) => Value::BulkString(bytes.to_vec()),
        Reply::Array(replies) => Value::Array(replies.iter().map(plain).collect()),
        Reply::Error(_) => Value::SimpleString("refused".into()),
    }
}

/// Puts in order what has none, and leaves out what each clock says and what only one of the two tells.
fn comparable(command: &[String], value: Value) -> Value {
    let Value::Array(mut values) = value else { return value };
    let pairs = |values: &[Value]| values.chunks(2).map(<[Value]>::to_vec).collect::<Vec<_>>();
    let kept: Vec<Vec<Value>> = match command[0].as_str() {
        "XINFO" => {
            let wanted = |pair: &Vec<Value>| {
                ["length", "last-generated-id"]
                    .iter()
                    .any(|name| pair[0] == Value::BulkString((*name).into()))
            };
            pairs(&values).into_iter().filter(wanted).collect()
        }
        "HGETALL" => pairs(&values),
        "ZRANGE" => pairs(&values).into_iter().map(|pair| vec![pair[0].clone()]).collect(),
        "SCAN" => {
            let Some(Value::Array(names)) = values.pop() else { return Value::Nil };
            names.into_iter().map(|name| vec![name]).collect()
        }
        _ => return Value::Array(values),
    };
    let mut kept: Vec<_> = kept.into_iter().map(|entry| format!("{entry:?}")).collect();
    kept.sort();
    Value::Array(kept.into_iter().map(|entry| Value::BulkString(entry.into())).collect())
}

/// A command as the planes send it, on few keys, so that they meet.
fn command(dice: &mut Dice) -> Vec<String> {
    let stream = format!("d:{}:feed", dice.of(0..3));
    let text = format!("d:{}:checkpoint", dice.of(0..3));
    // Now and then a key that holds something else.
    let any = if dice.chance(0.1) { stream.clone() } else { text.clone() };
    let revision = dice.of(1..9);
    let digest = |revision: u64| format!("digest-{revision}");
    let script = |script: &redis::Script, keys: &[&str], args: &[&str]| {
        let head = ["EVALSHA".to_owned(), script.get_hash().to_owned(), keys.len().to_string()];
        head.into_iter().chain(keys.iter().chain(args).map(|arg| (*arg).to_owned())).collect()
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let id = |revision: u64| format!("{revision}-0");
    match dice.of(0..20) {
        0..5 => {
            let last = if dice.chance(0.1) { digest(99) } else { digest(revision) };
            let (next, second) = (revision + dice.of(0..3), revision + 2);
            let (next_id, second_id) = (id(next), id(second));
            let mut args = vec![id(revision), last, next_id, "delta".into(), digest(next)];
            if dice.chance(0.3) {
                args.extend([second_id, "delta".into(), digest(second)]);
            }
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            script(&APPEND, &[&stream, "d:changes"], &args)
        }
        5 => {
            let args = [&*id(revision), &*digest(revision), "epoch", &*revision.to_string()];
            script(&BEGIN, &[&stream, "d:epoch", "d:changes"], &args)
        }
        6..8 => script(&LOOK, &[&stream, &any], &[]),
        8 => {
            let router = format!("router-{}", dice.of(0..4));
            script(&REPORT, &["d:routers", "d:seen"], &[&router, &digest(revision), "3600000", "d:reports"])
        }
        9 => words(&["XTRIM", &stream, "MINID", &id(revision)]),
        10 => words(&["XINFO", "STREAM", &stream]),
        11 | 12 => {
            words(&["XRANGE", &stream, &format!("({revision}-0"), "+", "COUNT", &dice.of(1..5).to_string()])
        }
        13 if dice.chance(0.5) => {
            let chunk = format!("d:{}:checkpoint", dice.of(0..3));
            script(&MANIFEST, &[&text, &any, &chunk], &[&digest(revision)])
        }
        13 => words(&["SET", &text, &digest(revision)]),
        14 => words(&["SET", &text, &digest(revision), "EX", "3600"]),
        15 => match dice.of(0..4) {
            0 => words(&["EXPIRE", &any, "3600"]),
            1 => words(&["PERSIST", &any]),
            2 => words(&["DEL", &any]),
            _ => words(&["EXISTS", &any]),
        },
        16 => words(&["GET", &any]),
        17 => words(&["SCAN", "0", "MATCH", "d:[0-9]:*", "COUNT", "1000"]),
        18 => match dice.of(0..3) {
            0 => words(&["HDEL", "d:routers", &format!("router-{}", dice.of(0..4))]),
            1 => words(&["ZREM", "d:seen", &format!("router-{}", dice.of(0..4))]),
            _ => words(&["ZRANGE", "d:seen", "0", "-1", "WITHSCORES"]),
        },
        _ => words(&["HGETALL", "d:routers"]),
    }
}

#[test]
fn the_simulated_redis_answers_as_a_real_one() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let mut space = Keyspace::default();
    for (script, known) in [
        (&LOOK, Known::Look),
        (&APPEND, Known::Append),
        (&BEGIN, Known::Begin),
        (&MANIFEST, Known::Manifest),
        (&REPORT, Known::Report),
    ] {
        script.load(&mut connection).expect("a script");
        space.load(known);
    }
    let mut dice = Dice::new(4);
    let (mut refused, mut appended) = (0, 0);
    for index in 0..COMMANDS {
        let words = command(&mut dice);
        let (name, args) = words.split_first().expect("a command");
        let real = redis::cmd(name).arg(args).query::<Value>(&mut connection);
        let real = real.unwrap_or_else(|_| Value::SimpleString("refused".into()));
        let args: Vec<Bytes> = words.iter().cloned().map(Bytes::from).collect();
        let simulated = plain(&space.execute(&args, 1_795_219_200_000));
        refused += usize::from(simulated == Value::SimpleString("refused".into()));
        appended += usize::from(words[1] == APPEND.get_hash() && simulated == Value::Int(1));
        let (real, simulated) = (comparable(&words, real), comparable(&words, simulated));
        assert_eq!(real, simulated, "command {index}: {words:?}");
    }
    assert!(
        refused > 100 && appended > 100,
        "{refused} refused, {appended} appended: too few to say anything"
    );
}
