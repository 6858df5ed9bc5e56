//! How do an encoder's cosines mix with words? Some encoders squeeze all cosines into a narrow band. What texts have in common
//! that have nothing to do with each other is the floor, and β stretches the way from there to a question's own answer to the
//! length at which the built-in encoder mixes best. Measured on a few pairs in both languages that are part of the program.

use std::time::Duration;

use super::Embedder;
use crate::{
    IndexError,
    scope::{Call, Scope},
};

/// What β times the way from the floor to a question's own answer comes to.
const REACH: f32 = 0.27;
/// The narrowest band that is believed.
const NARROWEST: f32 = 0.02;

/// Questions and their answers: each answer is an unrelated text for all other questions.
const PAIRS: [(&str, &str); 16] = [
    ("How many people work for the company?", "At year end we had 4,310 full-time employees, 212 fewer than a year before."),
    (
        "What was revenue in 2022?",
        "Total revenues were $2,196.2 million in fiscal 2022, an increase of 4.1% over the prior year.",
    ),
    (
        "Who audits the financial statements?",
        "The consolidated financial statements were examined by the independent accounting firm Harrow & Lisle LLP.",
    ),
    (
        "What are the risks from exchange rates?",
        "A stronger dollar lowers the value of our sales in euro and yen; we hedge about half of it with forward contracts.",
    ),
    (
        "When does the credit agreement end?",
        "The revolving credit facility matures in June 2027 and bears interest at SOFR plus 1.25%.",
    ),
    (
        "How is inventory valued?",
        "Stocks are carried at the lower of cost, determined first in, first out, and net realisable value.",
    ),
    ("Where are the factories?", "We manufacture in Ohio, in Leipzig and since last autumn in Penang."),
    ("What dividend was declared?", "The board resolved to pay $0.42 per share to holders of record on 3 March."),
    ("公司有多少名员工？", "截至报告期末，公司在职员工合计3,218人，其中技术人员1,104人。"),
    ("2022年营业收入是多少？", "2022年度公司实现营业总收入15.14亿元，较上年同期增长17.9%。"),
    ("募集资金用于什么项目？", "本次发行所得款项将投入年产两万吨新材料生产线建设及补充流动资金。"),
    ("前五大客户的销售占比是多少？", "报告期内，公司向前五名客户合计销售额占当期销售总额的46.3%。"),
    ("公司的控股股东是谁？", "李文澜先生直接持有本公司38.2%的股份，为实际控制人。"),
    ("研发投入情况如何？", "本年度研究与开发支出共计8,960万元，占收入的5.9%，主要用于传感器算法。"),
    ("存货跌价准备是怎么计提的？", "资产负债表日，库存商品按成本与可变现净值孰低计量，差额确认减值。"),
    ("公司面临哪些环保风险？", "随着排放标准提高，若废水治理设施不能正常运行，可能受到主管部门处罚。"),
];

/// How an encoder's cosines mix with words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// See [`super::Space::beta`].
    pub beta: f32,
    /// See [`super::Space::cosine_floor`].
    pub cosine_floor: f32,
}

/// Measures an encoder.
///
/// # Errors
/// What the encoder returns.
pub async fn measure(encoder: &dyn Embedder) -> Result<Scale, IndexError> {
    let call = Call::new(Scope::default(), Duration::from_secs(300));
    let answers: Vec<String> = PAIRS.iter().map(|(_, answer)| (*answer).to_owned()).collect();
    let answers = encoder.passages(&call, &answers).await?;
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for (at, (question, _)) in PAIRS.iter().enumerate() {
        let question = encoder.query(&call, question).await?;
        for (to, answer) in answers.iter().enumerate() {
            let cosine = question.iter().zip(answer).map(|(a, b)| a * b).sum::<f32>();
            if at == to { own.push(cosine) } else { other.push(cosine) }
        }
    }
    let mean = |of: &[f32]| of.iter().sum::<f32>() / of.len().max(1) as f32;
    let (own, floor) = (mean(&own), mean(&other));
    let round = |x: f32| (x * 100.0).round() / 100.0;
    Ok(Scale { beta: round(REACH / (own - floor).max(NARROWEST)), cosine_floor: round(floor) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::Builtin;

    #[tokio::test]
    async fn the_built_in_encoder_is_measured_as_it_was_tuned() {
        let scale = measure(&Builtin::load().unwrap()).await.unwrap();
        assert!((scale.beta - 3.0).abs() < 0.6, "{scale:?}");
        assert!((scale.cosine_floor - 0.8).abs() < 0.05, "{scale:?}");
    }
}
